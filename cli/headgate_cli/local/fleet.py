"""One machine as a cluster: reconcile loop, controllers and kubelet over objects in memory and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.control.controller import Controller
from headgate.control.ports import CRON_JOB, JOB, PERIODIC_TASK, QUEUE_POLICY, SUBJECTS, Kind, Manifest, Store
from headgate.control.stores import EVERY_NAMESPACE, Site, StoreEntry, WorkerDefaults
from headgate.names import POLICY_LABEL, TASK_LABEL
from headgate_cli.clock import SystemClock
from headgate_cli.local.container_run import Machine
from headgate_cli.local.controllers import DeploymentController
from headgate_cli.local.cron_jobs import CronJobController
from headgate_cli.local.jobs import JobController
from headgate_cli.local.memory_cluster import EventType, MemoryCluster
from headgate_cli.local.memory_pods import SECRET, MemoryPods
from headgate_cli.local.pods import Kubelet
from headgate_cli.publishing import cluster_of

STORE_NAME = "default"
"""The one store that policies can name here, and what `spec.store` says by default."""
NO_IMAGE = "this-machine"
"""Workers are processes: an image is asked for, and not used."""


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` is for the files of Pods; `app` is where workers run; `environ` is what they inherit."""

    scope: str
    store_url: str
    key_prefix: str
    folder: Path
    app: Path
    environ: Mapping[str, str]


class Fleet:
    """`start`, then `run` until it is cancelled, then `end`. Policies come into `cluster` from outside."""

    def __init__(self, place: Place, store: Store, say: Callable[[str, str], None]) -> None:
        clock = SystemClock()
        self._place = place
        self.cluster = MemoryCluster(clock)
        self._controllers = (
            DeploymentController(self.cluster, clock),
            CronJobController(self.cluster, clock),
            JobController(self.cluster, clock),
        )
        machine = Machine(place.folder, place.app, place.environ, clock, say)
        self._kubelet = Kubelet(MemoryPods(self.cluster), machine)
        self._controller = Controller(self.cluster, {STORE_NAME: store}, _site(place), clock)
        self.cluster.watch(self._note)

    async def start(self) -> None:
        """What an administrator would have put there: the workers' Secret with the address of the store."""
        entry = _site(self._place).stores[0]
        await self.cluster.put(
            SECRET,
            {
                "apiVersion": SECRET.api_version,
                "kind": SECRET.kind,
                "metadata": {"name": entry.worker_secret_name, "namespace": self._place.scope},
                "stringData": {"url": self._place.store_url},
            },
        )

    async def run(self) -> None:
        """Until cancelled: then nothing is decided or started any more, and Pods run on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._controller.run())
            for controller in self._controllers:
                tasks.create_task(controller.run())
            tasks.create_task(self._kubelet.run())

    def end(self, grace: float | None = None) -> None:
        """TERM to every Pod, KILL after its own grace or at most `grace` seconds. May be said again, with less."""
        self._kubelet.end(grace)

    async def ended(self) -> None:
        """Return when every Pod has ended."""
        await self._kubelet.ended()

    async def hand_back(self) -> None:
        """Workers put their running jobs back now, instead of finishing them."""
        await self._kubelet.hand_back()

    def _note(self, _type: EventType, kind: Kind, manifest: Manifest) -> None:
        """As the operator's event handlers do it."""
        metadata = manifest["metadata"]
        owner = metadata.get("labels", {}).get(POLICY_LABEL)
        if kind in SUBJECTS:
            self._controller.changed(kind, metadata["namespace"], metadata["name"])
        elif owner and metadata.get("ownerReferences"):
            self._controller.changed(QUEUE_POLICY, metadata["namespace"], owner)
        elif kind in (CRON_JOB, JOB) and TASK_LABEL in metadata.get("labels", {}):
            self._controller.changed(PERIODIC_TASK, metadata["namespace"], metadata["labels"][TASK_LABEL])


def _site(place: Place) -> Site:
    return Site(
        stores=(StoreEntry(name=STORE_NAME, key_prefix=place.key_prefix),),
        worker_defaults={EVERY_NAMESPACE: WorkerDefaults(image=NO_IMAGE)},
        cluster_id=cluster_of(place.scope),
        admission_policy=True,  # whoever writes these files may run programs on this machine anyway
    )
