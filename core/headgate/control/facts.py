"""Everything that the decision about one policy looks at, read live before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.control.memory import Memory
from headgate.control.ownership import precedence, standing
from headgate.control.pictures import Picture, Pictures
from headgate.control.ports import BUDGET, QUEUE_POLICY, Cluster, Key, Kind, Manifest
from headgate.control.stores import Site, StoreEntry
from headgate.desired.children import CHILD_KINDS
from headgate.model.budget import Budget
from headgate.model.common import Metadata
from headgate.model.parse import InvalidManifest, parse
from headgate.model.queue_policy import QueuePolicy
from headgate.names import full_name, worker_name


@dataclass(frozen=True, slots=True)
class Facts:
    """`policy` None: the spec breaks a rule, `mistakes` says which. `rival`: another policy, which rules this queue.

    `budgets` by full name, None where there is none (or one that breaks a rule). `children`: the live ones that are
    ours, or become ours, by kind. `foreign` and `leaving`: kinds whose name somebody else has, for good or until
    garbage collection takes what a deleted policy of this name left. `now_ms`: the store's clock, 0 before its answer.
    """

    key: Key
    manifest: Manifest
    policy: QueuePolicy | None
    mistakes: str
    store: StoreEntry | None
    rival: str
    budgets: Mapping[str, Budget | None]
    children: Mapping[Kind, Manifest]
    foreign: tuple[Kind, ...]
    leaving: tuple[Kind, ...]
    picture: Picture

    @property
    def now_ms(self) -> int:
        return self.picture.state.now if self.picture.state else 0

    @property
    def metadata(self) -> Metadata:
        return metadata_of(self.manifest)


class Gatherer:
    """Reads. It writes nothing but the notes in `memory` of who declares what."""

    def __init__(self, cluster: Cluster, site: Site, memory: Memory, pictures: Pictures) -> None:
        self._cluster, self._site, self._memory, self._pictures = cluster, site, memory, pictures

    async def facts(self, key: Key, manifest: Manifest) -> Facts:
        policy, mistakes = read_policy(manifest)
        declared = (policy.spec.store, policy.queue) if policy else None
        if declared:
            self._memory.claims.declare(key, declared)
        store = self._site.store(declared[0], key.namespace) if declared else None
        children = await self._children(key)
        standings = {kind: standing(child, metadata_of(manifest)) for kind, child in children.items()}
        return Facts(
            key=key,
            manifest=manifest,
            policy=policy,
            mistakes=mistakes,
            store=store,
            rival=await self.rival(key, policy) if policy and store else "",
            budgets=await self._budgets(policy) if policy else {},
            children={kind: children[kind] for kind in children if standings[kind] in ("ours", "adoptable")},
            foreign=tuple(kind for kind in standings if standings[kind] == "foreign"),
            leaving=tuple(kind for kind in standings if standings[kind] == "leaving"),
            picture=self._pictures[self.store_of(key, policy)],
        )

    def store_of(self, key: Key, policy: QueuePolicy | None) -> str:
        """The store that the policy names; while it cannot be read, the one that holds its last good limits."""
        if policy:
            return policy.spec.store
        declared = self._memory.declared.get(key)
        return declared.store if declared else ""

    async def rival(self, key: Key, policy: QueuePolicy) -> str:
        """Who declares the same queue and goes before this policy, as the cluster says now."""
        for other in self._memory.claims.rivals(key):
            if not self._site.store(policy.spec.store, other.namespace):
                continue  # it may not use the store, so it declares nothing there
            manifest = await self._cluster.get(QUEUE_POLICY, other.namespace, other.name)
            found = read_policy(manifest)[0] if manifest else None
            same = found and (found.spec.store, found.queue) == (policy.spec.store, policy.queue)
            if found and same and not is_leaving(manifest) and precedence(found.metadata) < precedence(policy.metadata):
                return other.full_name
        return ""

    async def _budgets(self, policy: QueuePolicy) -> dict[str, Budget | None]:
        namespace = policy.metadata.namespace
        return {
            full_name(namespace, ref.name): await self._budget(namespace, ref.name)
            for ref in policy.spec.budget_refs or ()
        }

    async def _budget(self, namespace: str, name: str) -> Budget | None:
        manifest = await self._cluster.get(BUDGET, namespace, name)
        return None if manifest is None or is_leaving(manifest) else read_budget(manifest)[0]

    async def _children(self, key: Key) -> dict[Kind, Manifest]:
        name = worker_name(key.name)
        found = {kind: await self._cluster.get(kind, key.namespace, name) for kind in CHILD_KINDS}
        return {kind: manifest for kind, manifest in found.items() if manifest}


def metadata_of(manifest: Manifest) -> Metadata:
    """Also of an object whose spec breaks a rule."""
    return Metadata.model_validate(manifest["metadata"])


def is_leaving(manifest: Manifest | None) -> bool:
    """It is being deleted: what it declares no longer counts."""
    return bool(manifest and manifest["metadata"].get("deletionTimestamp"))


def read_policy(manifest: Manifest) -> tuple[QueuePolicy | None, str]:
    """The policy, or what is wrong with it."""
    found, mistakes = _read(manifest)
    return (found if isinstance(found, QueuePolicy) else None), mistakes


def read_budget(manifest: Manifest) -> tuple[Budget | None, str]:
    """The budget, or what is wrong with it."""
    found, mistakes = _read(manifest)
    return (found if isinstance(found, Budget) else None), mistakes


def _read(manifest: Manifest) -> tuple[QueuePolicy | Budget | None, str]:
    try:
        return parse(manifest), ""
    except InvalidManifest as error:
        return None, str(error)
