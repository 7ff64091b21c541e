"""150 s of work on a one-minute schedule for ten minutes, by a clock that moves by hand: all parts but the processes.

The CronJob and Job controllers of `headgate up`, reconcile, and the gates; a Pod does what `headgate-task` does.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from headgate.control.ports import CRON_JOB, JOB, PERIODIC_TASK, POD, Key, Manifest
from headgate.gates.runs import Begin, Begun
from headgate_cli.local.cron_jobs import CronJobController
from headgate_cli.local.jobs import JOB_NAME, JobController

from .doubles import START
from .test_periodic_tasks import BASE
from .world import World

WORK_SECONDS = 150


class Minutes:
    """`runs`: run -> (began, ended or None), in seconds; `refused`: runs that were skipped."""

    def __init__(self, on_overlap: str) -> None:
        self.world = World()
        self.on_overlap = on_overlap
        self.runs: dict[str, list[float | None]] = {}
        self.refused: list[str] = []
        self._fences: dict[str, int] = {}
        self.restart_controllers()

    def restart_controllers(self) -> None:
        cluster, clock = self.world.cluster, self.world.clock
        self.controllers = CronJobController(cluster, clock), JobController(cluster, clock)

    async def declare(self) -> None:
        await self.world.put("sync", kind=PERIODIC_TASK, **{**BASE, "onOverlap": self.on_overlap})
        await self.world.settle(prime=True)

    async def second(self) -> None:
        self.world.clock.seconds += 1
        self.world.store._tick()
        for controller in self.controllers:
            await controller.step()
        for pod in await self.world.cluster.list(POD):
            await self._live(pod)
        if self.world.clock.seconds % 5 == 0:
            await self.world.controller.observe()
            self.world.controller.queue.add(Key(PERIODIC_TASK, "mail", "sync"))
            await self.world.controller.work_off()

    async def _live(self, pod: Manifest) -> None:
        run = pod["metadata"]["labels"][JOB_NAME]
        if pod.get("status", {}).get("phase") == "Succeeded":
            return
        gates, now = self.world.store.gates, self.world.clock.seconds
        if run not in self._fences:
            minutes = run.rpartition("-")[2]
            tick = int(minutes) * 60_000 if minutes.isdigit() else None
            answer = gates.begin_run(Begin("mail/sync", run, pod["metadata"]["name"], tick))
            if isinstance(answer, Begun):
                self._fences[run], self.runs[run] = answer.fence, [now, None]
                return
            self.refused.append(run)
        elif now - (self.runs[run][0] or 0) < WORK_SECONDS:
            if now % 5 == 0:
                assert gates.renew_run("mail/sync", run, self._fences[run])
            return
        else:
            assert gates.end_run("mail/sync", run, self._fences[run], "ok")
            self.runs[run][1] = now
        state = {"terminated": {"exitCode": 0, "finishedAt": self.world.clock.now()}}
        await self.world.cluster.apply_status(POD, pod, {"phase": "Succeeded", "containerStatuses": [{"state": state}]})

    async def by_hand(self) -> None:
        """`kubectl create job --from=cronjob/sync by-hand`"""
        (found,) = await self.world.cluster.list(CRON_JOB)
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "by-hand", "namespace": "mail"},
            "spec": found["spec"]["jobTemplate"]["spec"],
        }
        await self.world.cluster.apply(JOB, job, manager="kubectl")

    def tick_of(self, run: str) -> int:
        return int(run.rpartition("-")[2]) - int(START.timestamp()) // 60


@pytest.mark.parametrize("on_overlap", ["Skip", "RunLate"])
@pytest.mark.parametrize("faults", [False, True])
async def test_ten_minutes(on_overlap: str, faults: bool) -> None:
    minutes = Minutes(on_overlap)
    await minutes.declare()
    while minutes.world.clock.seconds < 605:
        await minutes.second()
        if faults and minutes.world.clock.seconds == 200:
            await minutes.by_hand()
        if faults and minutes.world.clock.seconds in (230, 410):
            minutes.world.restart()
            await minutes.world.controller.prime()
            minutes.restart_controllers()
    spans = sorted((began, ended if ended is not None else 605) for began, ended in minutes.runs.values() if began)
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(spans)), spans
    ran = sorted(minutes.tick_of(run) for run in minutes.runs)
    assert ran == ([1, 4, 7, 10] if on_overlap == "Skip" else [1, 3, 6, 8])
    assert ("by-hand" in minutes.refused) is faults
    state: Any = minutes.world.store.gates.inspect_tasks()["mail/sync"]
    skipped = {minutes.tick_of(f"sync-{tick // 60_000}") for tick in state.skipped_ticks}
    assert state.skipped == len(skipped), "each once"
    assert skipped == ({2, 3, 5, 6, 8, 9} if on_overlap == "Skip" else {2, 4, 5, 7}), "9 or 10 will run late"
    told = [event for event in minutes.world.cluster.events if event.reason == "RunSkipped"]
    assert len(told) == len({event.message.partition("(")[0] for event in told}) == len(skipped)
    status = (await minutes.world.get("sync", PERIODIC_TASK))["status"]
    assert status["skipped"] == len(skipped)
