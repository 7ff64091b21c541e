"""The one-machine kubelet: runs the Pods of a source as processes of this machine.

The source is the in-memory cluster for `headgate up` and a real API server in tests: the same Pods in both, run by the
same code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from headgate.control.ports import Manifest
from headgate.errors import ClusterError
from headgate_cli.local import supported
from headgate_cli.local.container_run import Machine
from headgate_cli.local.pod_run import RETRY_SECONDS, PodReports, PodRun

BETWEEN_INTERRUPTS_SECONDS = 0.2


class PodSource(PodReports, Protocol):
    async def pods(self) -> Sequence[Manifest]:
        """All Pods of this node as they are now, new ones bound to it. Raises ClusterError."""

    async def changed(self) -> None:
        """Return as soon as `pods` may answer something new since its last call."""


class Kubelet:
    """Level-triggered: whatever was missed, the next look at the source puts it right."""

    def __init__(self, source: PodSource, machine: Machine) -> None:
        self._source = source
        self._machine = machine
        self._runs: dict[str, tuple[PodRun, asyncio.Task[None]]] = {}
        self._told_not_applied: set[str] = set()

    async def run(self) -> None:
        """Until cancelled; Pods go on then, until `end`."""
        while True:
            try:
                self._sync(await self._source.pods())
                await self._source.changed()
            except ClusterError as error:
                self._machine.say("", str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def end(self, grace: float | None = None) -> None:
        """TERM to every Pod, KILL after its own grace or at most `grace` seconds. May be said again, with less.

        `run` must have been cancelled, or it would start others in their place.
        """
        for run, _ in self._runs.values():
            run.end(run.grace if grace is None else min(grace, run.grace))

    async def ended(self) -> None:
        """Return when every Pod has ended and was removed."""
        await asyncio.gather(*(task for _, task in self._runs.values()))

    async def hand_back(self) -> None:
        """Tell every process to stop what it does now: the second SIGINT does, and must not melt into the first."""
        for _ in range(2):
            for run, _ in self._runs.values():
                run.interrupt()
            await asyncio.sleep(BETWEEN_INTERRUPTS_SECONDS)

    def _sync(self, pods: Sequence[Manifest]) -> None:
        self._runs = {uid: (run, task) for uid, (run, task) in self._runs.items() if not task.done()}
        for pod in pods:
            metadata = pod["metadata"]
            if metadata["uid"] not in self._runs:
                self._start(pod)
            if "deletionTimestamp" in metadata:
                run, _ = self._runs[metadata["uid"]]
                run.end(float(metadata.get("deletionGracePeriodSeconds", run.grace)))
        for uid in self._runs.keys() - {pod["metadata"]["uid"] for pod in pods}:
            run, _ = self._runs[uid]
            run.end(run.grace)

    def _start(self, pod: Manifest) -> None:
        left_out = [name for name in supported.not_applied(pod) if name not in self._told_not_applied]
        if left_out:
            self._told_not_applied |= set(left_out)
            self._machine.say("", f"{', '.join(left_out)}: not applied here, workers are processes of this machine")
        run = PodRun(pod, self._source, self._machine)
        self._runs[pod["metadata"]["uid"]] = run, asyncio.create_task(run.run(), name=run.name)
