"""What the cluster says of policies and budgets, as models; and who of two policies rules a queue or a surface."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from headgate.control.memory import Memory
from headgate.control.ownership import Claim, precedence
from headgate.control.ports import BUDGET, Cluster, Key, Manifest
from headgate.control.stores import Site
from headgate.model.budget import Budget
from headgate.model.common import Metadata
from headgate.model.http_policy import HTTPPolicy
from headgate.model.parse import InvalidManifest, Resource, parse
from headgate.model.queue_policy import QueuePolicy

Policy = QueuePolicy | HTTPPolicy
"""What rules something alone: of two that declare the same, one loses."""
R = TypeVar("R", bound=Resource)


class Reader:
    """Reads live, before a decision."""

    def __init__(self, cluster: Cluster, site: Site, memory: Memory) -> None:
        self._cluster, self._site, self._memory = cluster, site, memory

    async def rival(self, key: Key, policy: Policy) -> str:
        """Who declares the same queue or surface and goes before this policy, as the cluster says now."""
        for other in self._memory.claims.rivals(key):
            if not self._site.store(policy.spec.store, other.namespace):
                continue  # it may not use the store, so it declares nothing there
            manifest = await self._cluster.get(other.kind, other.namespace, other.name)
            found = read_policy(manifest) if manifest else None
            same = found and claim_of(found) == claim_of(policy)
            if found and same and not is_leaving(manifest) and precedence(found.metadata) < precedence(policy.metadata):
                return other.full_name
        return ""

    async def budgets(self, namespace: str, full_names: Iterable[str]) -> dict[str, Budget | None]:
        """By full name; None where there is none, or one that breaks a rule."""
        return {name: await self._budget(namespace, name.rpartition("/")[2]) for name in full_names}

    async def _budget(self, namespace: str, name: str) -> Budget | None:
        manifest = await self._cluster.get(BUDGET, namespace, name)
        return None if manifest is None or is_leaving(manifest) else read_as(Budget, manifest)[0]


def claim_of(policy: Policy) -> Claim:
    """What it wants to rule alone."""
    field = f"http/{policy.surface}" if isinstance(policy, HTTPPolicy) else f"queue/{policy.queue}"
    return policy.spec.store, field


def metadata_of(manifest: Manifest) -> Metadata:
    """Also of an object whose spec breaks a rule."""
    return Metadata.model_validate(manifest["metadata"])


def is_leaving(manifest: Manifest | None) -> bool:
    """It is being deleted: what it declares no longer counts."""
    return bool(manifest and manifest["metadata"].get("deletionTimestamp"))


def read_as(model: type[R], manifest: Manifest) -> tuple[R | None, str]:
    """The resource, or what is wrong with it."""
    try:
        found = parse(manifest)
    except InvalidManifest as error:
        return None, str(error)
    return (found if isinstance(found, model) else None), ""


def read_policy(manifest: Manifest) -> Policy | None:
    """Of either kind; None when it breaks a rule."""
    return read_as(QueuePolicy, manifest)[0] or read_as(HTTPPolicy, manifest)[0]
