"""A world for reconcile: what it acts on, played on until nothing changes any more."""

from __future__ import annotations

from typing import Any

from headgate.control.controller import Controller
from headgate.control.ports import BUDGET, DEPLOYMENT, PERIODIC_TASK, POD, QUEUE_POLICY, SUBJECTS, Key, Kind, Manifest
from headgate.control.stores import Site, StoreEntry, WorkerDefaults
from headgate.model.documents import QueueDocument
from headgate.names import POLICY_LABEL, TASK_LABEL
from headgate_cli.local.memory_cluster import MemoryCluster

from .doubles import CHILDREN, HandClock, ReferenceStore, WatchedCluster

ALL_GOOD = {
    "Accepted": "True/Valid",
    "Enforced": "True/AllAcknowledged",
    "WorkersReady": "True/MinimumAvailable",
    "Throttled": "False/Free",
    "Degraded": "False/AsExpected",
    "Ready": "True/InForce",
}
"""The conditions of a policy with which all is well."""

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
        self.store.died = self.cluster.die
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
        if kind in SUBJECTS:
            self.controller.queue.add(Key(kind, metadata["namespace"], metadata["name"]))
        elif TASK_LABEL in metadata.get("labels", {}) and kind != POD:
            self.controller.queue.add(Key(PERIODIC_TASK, metadata["namespace"], metadata["labels"][TASK_LABEL]))
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
            elif kind in SUBJECTS:
                status = stored.manifest.get("status", {})
                answers = [(each["type"], each["status"], each["reason"]) for each in status.get("conditions", ())]
                kept = {
                    name: status.get(name)
                    for name in ("limits", "capacity", "members", "demand", "queue", "surface", "rules")
                }
                found[f"{kind.kind} {namespace}/{name}"] = (answers, kept)
        return found
