"""Everything that the decision about one policy looks at, read live before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from headgate.control.memory import Memory
from headgate.control.ownership import standing
from headgate.control.pictures import Picture, Pictures
from headgate.control.ports import Cluster, Key, Kind, Manifest
from headgate.control.reading import Policy, Reader, claim_of, metadata_of, read_as
from headgate.control.references import budget_refs
from headgate.control.stores import Site, StoreEntry
from headgate.desired.children import CHILD_KINDS
from headgate.model.budget import Budget
from headgate.model.common import Metadata
from headgate.model.queue_policy import QueuePolicy
from headgate.names import worker_name

P = TypeVar("P", bound=Policy, covariant=True)


@dataclass(frozen=True, slots=True)
class PolicyFacts(Generic[P]):
    """`policy` None: the spec breaks a rule, `mistakes` says which. `rival`: another policy, which rules what it wants.

    `budgets` by full name, None where there is none (or one that breaks a rule).
    """

    key: Key
    manifest: Manifest
    policy: P | None
    mistakes: str
    store: StoreEntry | None
    rival: str
    budgets: Mapping[str, Budget | None]
    picture: Picture

    @property
    def now_ms(self) -> int:
        """The store's clock, 0 before its answer."""
        return self.picture.state.now if self.picture.state else 0

    @property
    def metadata(self) -> Metadata:
        return metadata_of(self.manifest)


@dataclass(frozen=True, slots=True)
class Facts(PolicyFacts[QueuePolicy]):
    """`children`: the live ones that are ours, or become ours, by kind.

    `foreign` and `leaving`: kinds whose name somebody else has, for good or until garbage collection takes what a
    deleted policy of this name left.
    """

    children: Mapping[Kind, Manifest]
    foreign: tuple[Kind, ...]
    leaving: tuple[Kind, ...]


class Gatherer:
    """Reads. It writes nothing but the notes in `memory` of who declares what."""

    def __init__(self, cluster: Cluster, site: Site, memory: Memory, pictures: Pictures) -> None:
        self._cluster, self._site, self._memory, self._pictures = cluster, site, memory, pictures
        self._reader = Reader(cluster, site, memory)

    async def facts(self, key: Key, manifest: Manifest) -> Facts:
        """Of a QueuePolicy."""
        common = await self.policy_facts(QueuePolicy, key, manifest)
        children = await self._children(key)
        standings = {kind: standing(child, metadata_of(manifest)) for kind, child in children.items()}
        return Facts(
            key=key,
            manifest=manifest,
            policy=common.policy,
            mistakes=common.mistakes,
            store=common.store,
            rival=common.rival,
            budgets=common.budgets,
            picture=common.picture,
            children={kind: children[kind] for kind in children if standings[kind] in ("ours", "adoptable")},
            foreign=tuple(kind for kind in standings if standings[kind] == "foreign"),
            leaving=tuple(kind for kind in standings if standings[kind] == "leaving"),
        )

    async def policy_facts(self, model: type[P], key: Key, manifest: Manifest) -> PolicyFacts[P]:
        """What is asked of any policy."""
        policy, mistakes = read_as(model, manifest)
        if policy:
            self._memory.claims.declare(key, claim_of(policy))
        store = self._site.store(policy.spec.store, key.namespace) if policy else None
        names = dict.fromkeys(name for _, name in budget_refs(policy)) if policy else ()
        return PolicyFacts(
            key=key,
            manifest=manifest,
            policy=policy,
            mistakes=mistakes,
            store=store,
            rival=await self._reader.rival(key, policy) if policy and store else "",
            budgets=await self._reader.budgets(key.namespace, names),
            picture=self._pictures[self._store_of(key, policy)],
        )

    def _store_of(self, key: Key, policy: Policy | None) -> str:
        """The store that the policy names; while it cannot be read, the one that holds its last good limits."""
        if policy:
            return policy.spec.store
        declared = self._memory.declared.get(key)
        return declared.store if declared else ""

    async def _children(self, key: Key) -> dict[Kind, Manifest]:
        name = worker_name(key.name)
        found = {kind: await self._cluster.get(kind, key.namespace, name) for kind in CHILD_KINDS}
        return {kind: manifest for kind, manifest in found.items() if manifest}
