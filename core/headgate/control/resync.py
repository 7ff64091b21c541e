"""What events missed: list everything, take note of who declares what, call for all, take back what nobody declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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

    async def run(self) -> None:
        """One resync. Raises ClusterError when a LIST fails: what cannot be listed must not be taken for deleted."""
        recorded = self._pictures.owners()  # before the lists: then what they lack was declared by nobody
        policies = await self._cluster.list(QUEUE_POLICY)
        budgets = await self._cluster.list(BUDGET)
        surfaces = await self._cluster.list(HTTP_POLICY)
        tasks = await self._cluster.list(PERIODIC_TASK)
        live = {
            **self._note_budgets(budgets),
            **self._note_policies(policies, budgets),
            **self._note_surfaces(surfaces),
            **self._note_tasks(tasks),
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

    def _note_budgets(self, manifests: Iterable[Manifest]) -> Declares:
        live: dict[Key, Claim | None] = {}
        for manifest in manifests:
            key, (budget, _) = _key(manifest), read_as(Budget, manifest)
            live[key] = (budget.spec.store, f"budget/{key.full_name}") if budget else None
            if budget:
                self._memory.budget_stores[key] = budget.spec.store
        return live

    def _note_policies(self, manifests: Iterable[Manifest], budgets: Iterable[Manifest]) -> Declares:
        documents = {
            budget.full_name: budget_document(budget) for each in budgets if (budget := read_as(Budget, each)[0])
        }
        live: dict[Key, Claim | None] = {}
        for manifest in sorted(manifests, key=_age):
            key, (policy, _) = _key(manifest), read_as(QueuePolicy, manifest)
            claim = claim_of(policy) if policy else None
            if policy and self._is_new_and_rules(key, claim, live):
                self._note_bounds(key, policy, documents)
            live[key] = claim
            if policy:
                self._memory.claims.declare(key, claim)
            if key not in self._memory.throttles:
                self._remember_throttle(key, manifest)
        return live

    def _note_surfaces(self, manifests: Iterable[Manifest]) -> Declares:
        live: dict[Key, Claim | None] = {}
        for manifest in sorted(manifests, key=_age):
            key, (policy, _) = _key(manifest), read_as(HTTPPolicy, manifest)
            claim = claim_of(policy) if policy else None
            if policy and self._is_new_and_rules(key, claim, live):
                for _, name in budget_refs(policy):
                    self._memory.bounds[name].setdefault(key, 0)
            live[key] = claim
            if policy:
                self._memory.claims.declare(key, claim)
        return live

    def _note_tasks(self, manifests: Iterable[Manifest]) -> Declares:
        live: dict[Key, Claim | None] = {}
        for manifest in manifests:
            key, (task, _) = _key(manifest), read_as(PeriodicTask, manifest)
            live[key] = (task.spec.store, f"task/{key.full_name}") if task else None
            if task:
                self._memory.note_task(key, task)
        return live

    def _is_new_and_rules(self, key: Key, claim: Claim | None, older: Declares) -> bool:
        """Its budgets are noted before its reconcile, which makes them exact; who was reconciled is exact already."""
        return not self._memory.claims.declares(key) and claim not in older.values()

    def _note_bounds(self, key: Key, policy: QueuePolicy, budgets: Mapping[str, BudgetDocument]) -> None:
        """So that a budget knows its members before each of them was reconciled. Reconcile makes it exact."""
        document, replicas = queue_document(policy), policy.spec.workers.replicas
        for share in document.budgets:
            if key not in self._memory.bounds[share.name]:
                bound = capacity(document, replicas, budgets, 0, without=share.name).bound
                self._memory.bounds[share.name][key] = bound

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
    return Key(kind, metadata.namespace, metadata.name)
