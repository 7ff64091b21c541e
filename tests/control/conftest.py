"""A world for reconcile: a cluster in memory, the reference gates as its store, a clock that moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from headgate.control.controller import Controller
from headgate.control.ports import (
    BUDGET,
    DEPLOYMENT,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    QUEUE_POLICY,
    SERVICE_ACCOUNT,
    Key,
    Kind,
    Manifest,
)
from headgate.control.stores import Site, StoreEntry, WorkerDefaults
from headgate.errors import StoreUnavailable, StoreUnsuitable
from headgate.gates.model.reference import ReferenceGates
from headgate.gates.verbs import Beat, Owner, PublishAnswer, QueueState, Reaped, SlotBeat, StoreState
from headgate.model.documents import Document, QueueDocument
from headgate.model.status import BudgetStatus, QueuePolicyStatus
from headgate.names import POLICY_LABEL, selector_labels
from headgate_cli.local.memory_cluster import MemoryCluster

CHILDREN = (SERVICE_ACCOUNT, NETWORK_POLICY, POD_DISRUPTION_BUDGET, DEPLOYMENT)
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
            if not dry_run:
                self._wrote(f"apply {kind.kind}/{manifest['metadata']['name']}")
        stored = await super().apply(kind, manifest, dry_run=dry_run, manager=manager)
        if manager == "headgate" and not dry_run:
            self._die()
        return stored

    async def apply_status(self, kind: Kind, manifest: Manifest, status: Manifest) -> Manifest:
        if kind in (QUEUE_POLICY, BUDGET):
            self._wrote(f"status {kind.kind}/{manifest['metadata']['name']}")
            model = QueuePolicyStatus if kind is QUEUE_POLICY else BudgetStatus
            model.model_validate(status)  # the API server would prune or refuse anything else
        stored = await super().apply_status(kind, manifest, status)
        if kind in (QUEUE_POLICY, BUDGET):
            self._die()
        return stored

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, grace_seconds: int | None = None
    ) -> None:
        if kind in CHILDREN:
            self._wrote(f"delete {kind.kind}/{name}")
        await super().delete(kind, namespace, name, uid, grace_seconds=grace_seconds)
        if kind in CHILDREN:
            self._die()

    def _wrote(self, what: str) -> None:
        self.writes.append(what)

    def _die(self) -> None:
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

    async def unpublish(self, kind: Literal["queue", "budget"], name: str, owner: Owner) -> bool:
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

    def lose_everything(self) -> None:
        """Restarted without its data."""
        self.gates = ReferenceGates()

    @property
    def documents(self) -> dict[str, Document]:
        """By field, what is published."""
        return {field: declared.document for field, declared in self.gates.store.owners.items()}


SITE = Site(
    stores=(StoreEntry("default"), StoreEntry("other", namespaces=("elsewhere",))),
    worker_defaults={"*": WorkerDefaults(image="registry.example/app:1")},
    cluster_id="here",
    own_namespace="headgate-system",
    admission_policy=True,
)


class World:
    """`settle` plays on until nothing changes any more: events, deployments, workers, looks at the store."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.cluster = WatchedCluster(self.clock)
        self.store = ReferenceStore(self.clock)
        self.store.died = self.cluster._die
        self.site = SITE
        self.deaf = False
        self.pods_run = True
        self.controller = self._controller()
        self.cluster.watch(self._on_event)

    def _controller(self) -> Controller:
        return Controller(self.cluster, {"default": self.store}, self.site, self.clock)

    def restart(self) -> None:
        """A new process: nothing is remembered."""
        self.controller.queue.close()
        self.controller = self._controller()

    def _on_event(self, type_: str, kind: Kind, manifest: Manifest) -> None:
        if self.deaf:
            return
        metadata = manifest["metadata"]
        if kind in (QUEUE_POLICY, BUDGET):
            self.controller.queue.add(Key(kind, metadata["namespace"], metadata["name"]))
        elif POLICY_LABEL in metadata.get("labels", {}) and kind != POD:
            self.controller.queue.add(Key(QUEUE_POLICY, metadata["namespace"], metadata["labels"][POLICY_LABEL]))

    async def settle(self, *, prime: bool = False) -> None:
        if prime:
            await self.controller.prime()
        for _ in range(20):
            before = self.snapshot()
            await self.controller.work_off()
            await self._play_deployments()
            self._play_workers()
            await self.controller.observe()
            if not self.controller.queue.depth and before == self.snapshot():
                return
        raise AssertionError("it never settles")

    def snapshot(self) -> tuple[Any, ...]:
        versions = [stored.manifest["metadata"]["resourceVersion"] for stored in self.cluster._objects.values()]
        return versions, self.store.gates.store.meta.revision, len(self.store.writes)

    async def _play_deployments(self) -> None:
        """Every Deployment gets what it wants, at once."""
        for deployment in await self.cluster.list(DEPLOYMENT):
            wanted = deployment["spec"].get("replicas", 1) if self.pods_run else 0
            status = {"observedGeneration": deployment["metadata"]["generation"], "replicas": wanted}
            status |= dict.fromkeys(("updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            if deployment.get("status") != status:
                await self.cluster.apply_status(DEPLOYMENT, deployment, status)

    def _play_workers(self) -> None:
        """Every pod that runs has the newest revision in use."""
        if self.store.fault:
            return
        for (kind, namespace, _), stored in list(self.cluster._objects.items()):
            if kind is DEPLOYMENT and POLICY_LABEL in stored.manifest["metadata"].get("labels", {}):
                self._renew(namespace, stored.manifest)

    def _renew(self, namespace: str, deployment: Manifest) -> None:
        policy = deployment["metadata"]["labels"][POLICY_LABEL]
        env = deployment["spec"]["template"]["spec"]["containers"][0].get("env", ())
        queue = next((item["value"] for item in env if item["name"] == "HEADGATE_QUEUE"), policy)
        declared = self.store.gates.read_document(queue)
        for number in range(deployment.get("status", {}).get("readyReplicas", 0)):
            if declared:
                self.store.renew(f"{namespace}-{policy}-{number}", queue, declared[0])

    async def later(self, seconds: float) -> None:
        """Time passes; who stopped renewing is forgotten by the store."""
        self.clock.seconds += seconds
        self._play_workers()
        await self.controller.observe()
        await self.settle(prime=True)

    async def put(self, name: str, namespace: str = "mail", kind: Kind = QUEUE_POLICY, **spec: Any) -> Manifest:
        manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}
        return await self.cluster.put(kind, manifest | {"metadata": {"name": name, "namespace": namespace}})

    async def put_budget(self, name: str, total: int = 20, namespace: str = "mail", **spec: Any) -> Manifest:
        return await self.put(name, namespace, BUDGET, **{"concurrency": {"total": total}} | spec)

    async def remove(self, name: str, namespace: str = "mail", kind: Kind = QUEUE_POLICY) -> None:
        found = await MemoryCluster.get(self.cluster, kind, namespace, name)
        assert found
        await MemoryCluster.delete(self.cluster, kind, namespace, name, found["metadata"]["uid"])

    async def get(self, name: str, kind: Kind = QUEUE_POLICY, namespace: str = "mail") -> Manifest:
        found = await MemoryCluster.get(self.cluster, kind, namespace, name)
        assert found, f"there is no {kind.kind} {name}"
        return found

    async def conditions(self, name: str, kind: Kind = QUEUE_POLICY, namespace: str = "mail") -> dict[str, str]:
        """`{"Accepted": "True/Valid", ...}`"""
        found = (await self.get(name, kind, namespace)).get("status", {}).get("conditions", [])
        return {condition["type"]: f"{condition['status']}/{condition['reason']}" for condition in found}

    async def message(self, name: str, type_: str, kind: Kind = QUEUE_POLICY) -> str:
        found = (await self.get(name, kind))["status"]["conditions"]
        return str(next(condition["message"] for condition in found if condition["type"] == type_))

    def document(self, queue: str) -> QueueDocument:
        found = self.store.documents[f"queue/{queue}"]
        assert isinstance(found, QueueDocument)
        return found

    def forget_writes(self) -> None:
        self.cluster.writes.clear()
        self.store.writes.clear()

    @property
    def writes(self) -> list[str]:
        return [*self.cluster.writes, *self.store.writes]

    def end_state(self) -> dict[str, Any]:
        """What must be the same however it came about: children, documents, answers; no uids, times or revisions."""
        found: dict[str, Any] = dict(self.store.documents)
        for (kind, namespace, name), stored in self.cluster._objects.items():
            if kind in CHILDREN:
                found[f"{kind.kind} {namespace}/{name}"] = stored.manifest.get("spec", {})
            elif kind in (QUEUE_POLICY, BUDGET):
                status = stored.manifest.get("status", {})
                answers = [(each["type"], each["status"], each["reason"]) for each in status.get("conditions", ())]
                kept = {name: status.get(name) for name in ("limits", "capacity", "members", "demand", "queue")}
                found[f"{kind.kind} {namespace}/{name}"] = (answers, kept)
        return found


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def make_world() -> type[World]:
    return World


@pytest.fixture
def killed() -> type[Killed]:
    return Killed


@pytest.fixture
def pod_labels() -> Callable[[str], dict[str, str]]:
    return selector_labels
