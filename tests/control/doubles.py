"""A cluster in memory and the reference gates as a store, with faults on order, and a clock that moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.control.ports import (
    BUDGET,
    CRON_JOB,
    DEPLOYMENT,
    HTTP_POLICY,
    NETWORK_POLICY,
    PERIODIC_TASK,
    POD_DISRUPTION_BUDGET,
    QUEUE_POLICY,
    SERVICE_ACCOUNT,
    SUBJECTS,
    Kind,
    Manifest,
)
from headgate.errors import StoreUnavailable, StoreUnsuitable
from headgate.gates.http import RequestsBeat, SurfaceState
from headgate.gates.model.reference import ReferenceGates
from headgate.gates.runs import TaskState
from headgate.gates.verbs import Beat, Owner, PublishAnswer, QueueState, Reaped, SlotBeat, StoreState
from headgate.model.documents import Document, DocumentKind
from headgate.model.status import BudgetStatus, HTTPPolicyStatus, PeriodicTaskStatus, QueuePolicyStatus
from headgate_cli.local.memory_cluster import MemoryCluster

STATUS = {
    QUEUE_POLICY: QueuePolicyStatus,
    BUDGET: BudgetStatus,
    HTTP_POLICY: HTTPPolicyStatus,
    PERIODIC_TASK: PeriodicTaskStatus,
}
CHILDREN = (SERVICE_ACCOUNT, NETWORK_POLICY, POD_DISRUPTION_BUDGET, DEPLOYMENT, CRON_JOB)
START = datetime(2026, 11, 24, tzinfo=UTC)


class Killed(BaseException):
    """The process died. Not an Exception: nothing in the loop may catch it."""


class HandClock:
    """Monotonic seconds and wall time that move together, by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> str:
        return (START + timedelta(seconds=int(self.seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


class WatchedCluster(MemoryCluster):
    """Counts what reconcile writes, and can die after a write, refuse one, or fail for one object."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.writes: list[str] = []
        self.dies_after: int | None = None
        self.broken: dict[str, Exception] = {}
        self.refuses: dict[Kind, Exception] = {}
        self.rehearsals: list[str] = []

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        await asyncio.sleep(0)  # other keys run meanwhile, as they do over a network
        if name in self.broken:
            raise self.broken[name]
        return await super().get(kind, namespace, name)

    async def apply(
        self, kind: Kind, manifest: Manifest, *, dry_run: bool = False, manager: str = "headgate"
    ) -> Manifest:
        if manager == "headgate":
            if kind in self.refuses:
                raise self.refuses[kind]
            if dry_run:
                self.rehearsals.append(manifest["metadata"]["name"])
            else:
                self._wrote(f"apply {kind.kind}/{manifest['metadata']['name']}")
        stored = await super().apply(kind, manifest, dry_run=dry_run, manager=manager)
        if manager == "headgate" and not dry_run:
            self.die()
        return stored

    async def apply_status(self, kind: Kind, manifest: Manifest, status: Manifest) -> Manifest:
        if kind in SUBJECTS:
            self._wrote(f"status {kind.kind}/{manifest['metadata']['name']}")
            STATUS[kind].model_validate(status)  # the API server would prune or refuse anything else
        stored = await super().apply_status(kind, manifest, status)
        if kind in SUBJECTS:
            self.die()
        return stored

    async def scale(self, kind: Kind, manifest: Manifest, replicas: int) -> None:
        self._wrote(f"scale {kind.kind}/{manifest['metadata']['name']}")
        await super().scale(kind, manifest, replicas)
        self.die()

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, grace_seconds: int | None = None
    ) -> None:
        if kind in CHILDREN:
            self._wrote(f"delete {kind.kind}/{name}")
        await super().delete(kind, namespace, name, uid, grace_seconds=grace_seconds)
        if kind in CHILDREN:
            self.die()

    def _wrote(self, what: str) -> None:
        self.writes.append(what)

    def die(self) -> None:
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise Killed


class ReferenceStore:
    """The reference gates as the Store port, with faults on order and what only a real store shows, added to a look."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.gates = ReferenceGates()
        self.writes: list[str] = []
        self.fault: Exception | None = None
        self.full = False
        self.http_looks = 0
        self.unsuitable = ""
        self.shown: dict[str, Mapping[str, Any]] = {}
        self.died: Callable[[], None] = lambda: None

    def _tick(self) -> None:
        if self.fault:
            raise self.fault
        self.gates.store.clock.us = round((START.timestamp() + self._clock.seconds) * 1e6)

    async def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer:
        self._tick()
        if self.full:
            raise StoreUnavailable("the store is full")
        revision = self.gates.store.meta.revision
        answer = self.gates.publish(document, owner, replaces_uid=replaces_uid)
        if self.gates.store.meta.revision != revision:
            self.writes.append(f"publish {document.kind}")
            self.died()
        return answer

    async def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool:
        self._tick()
        removed = self.gates.unpublish(kind, name, owner)
        if removed:
            self.writes.append(f"unpublish {kind}")
            self.died()
        return removed

    async def inspect(self) -> StoreState:
        self._tick()
        state = self.gates.inspect()
        queues: dict[str, QueueState] = {
            name: replace(queue, **self.shown.get(name, {})) for name, queue in state.queues.items()
        }
        return replace(state, queues=queues)

    async def inspect_http(self) -> Mapping[str, SurfaceState]:
        self._tick()
        self.http_looks += 1
        return self.gates.inspect_http()

    async def inspect_tasks(self) -> Mapping[str, TaskState]:
        self._tick()
        return self.gates.inspect_tasks()

    async def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        self._tick()
        new = self.gates.skip_ticks(task, ticks)
        if new:
            self.writes.append(f"skip {new}")
            self.died()
        return new

    async def reap(self, limit: int = 100) -> Sequence[Reaped]:
        self._tick()
        return self.gates.reap(limit)

    async def check(self) -> None:
        self._tick()
        if self.unsuitable:
            raise StoreUnsuitable(self.unsuitable)

    def renew(self, pod: str, queue: str, revision: int) -> None:
        """A worker pod says which revision it has in use."""
        self._tick()
        self.gates.renew(Beat(f"{pod}-aaaaaa", pod, queue, revision, [SlotBeat(f"{pod}-aaaaaa.0")], []))

    def serve(self, surface: str, instance: str = "web-1-aaaaaa", revision: int | None = None) -> None:
        """An API process says which revision of a surface it has in use; None: the newest."""
        self._tick()
        known = self.gates.read_http(surface)
        in_use = (known[0] if known else 0) if revision is None else revision
        self.gates.renew_requests(RequestsBeat(instance, instance, {surface: in_use}, ()))

    def lose_everything(self) -> None:
        """Restarted without its data."""
        self.gates = ReferenceGates()

    @property
    def documents(self) -> dict[str, Document]:
        """By field, what is published."""
        return {field: declared.document for field, declared in self.gates.store.owners.items()}
