"""What events missed: list everything, take note of who declares what, call for all, take back what nobody declares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern

import structlog

from headgate.control.memory import Memory
from headgate.control.ownership import Claim
from headgate.control.pictures import Pictures, Record
from headgate.control.ports import (
    BUDGET,
    HTTP_POLICY,
    PERIODIC_TASK,
    QUEUE_POLICY,
    SUBJECTS,
    Clock,
    Cluster,
    Key,
    Manifest,
)
from headgate.control.publishing import Publisher
from headgate.control.reading import claim_of, metadata_of, read_as
from headgate.control.references import budget_refs
from headgate.control.stores import Site
from headgate.desired.documents import budget_document, queue_document
from headgate.model.budget import Budget
from headgate.model.documents import BudgetDocument
from headgate.model.http_policy import HTTPPolicy
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate.status.capacity import capacity
from headgate.status.throttled import remembered

Declares = Mapping[Key, Claim | None]
"""By object: the store and the field of its document, None where the spec cannot be read."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, order=True)
class _Ruler:
    """What is kept of a policy while the others are read. The oldest comes first, and rules."""

    age: tuple[str, str]
    key: Key = field(compare=False)
    claim: Claim | None = field(compare=False)
    bounds: Mapping[str, int] = field(compare=False)


class Resync:
    """`call` puts keys into the work queue, spread over time."""

    def __init__(
        self,
        cluster: Cluster,
        site: Site,
        memory: Memory,
        pictures: Pictures,
        publisher: Publisher,
        clock: Clock,
        call: Callable[[Iterable[Key]], None],
    ) -> None:
        self._cluster, self._site, self._memory, self._pictures = cluster, site, memory, pictures
        self._publisher, self._clock, self._call = publisher, clock, call
        self._budgets: dict[str, BudgetDocument] = {}

    async def run(self) -> None:
        """One resync. Raises ClusterError when a LIST fails: what cannot be listed must not be taken for deleted."""
        recorded = self._pictures.owners()  # before the lists: then what they lack was declared by nobody
        live = {
            **await self._note_budgets(),
            **self._note_rulers([each async for each in self._queues()]),
            **self._note_rulers([each async for each in self._surfaces()]),
            **await self._note_tasks(),
        }
        vanished = self._memory.keys() - live.keys()
        leftovers: list[Record] = []
        for record in recorded:
            if not self._site.cluster_id or record.owner.cluster != self._site.cluster_id:
                continue
            key = record.declared_by
            if key not in live:
                vanished.add(key)
            elif live[key] not in (None, (record.store, record.field)):
                leftovers.append(record)
        self._call([*live, *vanished])
        for record in leftovers:
            log.info("Taking back a document that its owner no longer declares", record=str(record))
            await self._publisher.take_back(record)

    async def _note_budgets(self) -> Declares:
        live: dict[Key, Claim | None] = {}
        self._budgets = {}
        async for manifest in self._cluster.scan(BUDGET):
            key, (budget, _) = _key(manifest), read_as(Budget, manifest)
            live[key] = (budget.spec.store, f"budget/{key.full_name}") if budget else None
            if budget:
                self._memory.budget_stores[key] = budget.spec.store
                self._budgets[budget.full_name] = budget_document(budget)
        return live

    async def _queues(self) -> AsyncIterator[_Ruler]:
        async for manifest in self._cluster.scan(QUEUE_POLICY):
            key, (policy, _) = _key(manifest), read_as(QueuePolicy, manifest)
            if key not in self._memory.throttles:
                self._remember_throttle(key, manifest)
            yield _Ruler(_age(manifest), key, claim_of(policy) if policy else None, self._bounds(policy))

    async def _surfaces(self) -> AsyncIterator[_Ruler]:
        async for manifest in self._cluster.scan(HTTP_POLICY):
            policy, _ = read_as(HTTPPolicy, manifest)
            names = {name for _, name in budget_refs(policy)} if policy else ()
            yield _Ruler(_age(manifest), _key(manifest), claim_of(policy) if policy else None, dict.fromkeys(names, 0))

    def _note_rulers(self, rulers: Iterable[_Ruler]) -> Declares:
        """Budgets know their members before each of these was reconciled, which makes them exact."""
        live: dict[Key, Claim | None] = {}
        ruled: set[Claim] = set()
        for ruler in sorted(rulers):
            live[ruler.key] = ruler.claim
            if ruler.claim is None:
                continue
            if ruler.claim not in ruled and not self._memory.claims.declares(ruler.key):
                for name, bound in ruler.bounds.items():
                    self._memory.bounds[name].setdefault(ruler.key, bound)
            ruled.add(ruler.claim)
            self._memory.claims.declare(ruler.key, ruler.claim)
        return live

    async def _note_tasks(self) -> Declares:
        live: dict[Key, Claim | None] = {}
        async for manifest in self._cluster.scan(PERIODIC_TASK):
            key, (task, _) = _key(manifest), read_as(PeriodicTask, manifest)
            live[key] = (task.spec.store, f"task/{key.full_name}") if task else None
            if task:
                self._memory.note_task(key, task)
        return live

    def _bounds(self, policy: QueuePolicy | None) -> Mapping[str, int]:
        """By budget: what the policy would run if that budget were not there."""
        if policy is None or not policy.spec.budget_refs:
            return {}
        document, replicas = queue_document(policy), policy.spec.workers.replicas
        return {
            share.name: capacity(document, replicas, self._budgets, 0, without=share.name).bound
            for share in document.budgets
        }

    def _remember_throttle(self, key: Key, manifest: Manifest) -> None:
        conditions = manifest.get("status", {}).get("conditions", ())
        throttled = next((each for each in conditions if each["type"] == "Throttled"), None)
        self._memory.throttles[key] = remembered(throttled, self._clock.monotonic())


def _age(manifest: Manifest) -> tuple[str, str]:
    """The oldest rules."""
    metadata = metadata_of(manifest)
    return str(manifest["metadata"].get("creationTimestamp", "")), metadata.uid


def _key(manifest: Manifest) -> Key:
    metadata = metadata_of(manifest)
    kind = next(kind for kind in SUBJECTS if kind.kind == manifest["kind"])
    return Key(kind, intern(metadata.namespace), metadata.name)
