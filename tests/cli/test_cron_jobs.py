"""CronJobs become Jobs and Jobs become Pods, by Kubernetes' rules, with a clock that moves by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.control.ports import CRON_JOB, JOB, POD, Manifest
from headgate_cli.local.cron_jobs import CronJobController
from headgate_cli.local.jobs import JOB_NAME, JobController
from headgate_cli.local.memory_cluster import MemoryCluster

START = datetime(2026, 11, 24, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> str:
        return (START + timedelta(seconds=int(self.seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stage:
    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = MemoryCluster(self.clock)
        self.controllers = CronJobController(self.cluster, self.clock), JobController(self.cluster, self.clock)

    async def declare(self, job: dict[str, Any] | None = None, **spec: Any) -> None:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "worker"}]}}
        manifest = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "sync", "namespace": "local"},
            "spec": {
                "schedule": "* * * * *",
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": {"template": template, "backoffLimit": 0, **(job or {})}},
                **spec,
            },
        }
        await self.cluster.apply(CRON_JOB, manifest)

    async def to(self, seconds: float) -> None:
        """Second by second, as the controllers look."""
        while self.clock.seconds < seconds:
            self.clock.seconds += 1
            await self.step()

    async def step(self) -> None:
        for _ in range(2):
            for controller in self.controllers:
                await controller.step()

    async def jobs(self) -> list[str]:
        return [job["metadata"]["name"] for job in await self.cluster.list(JOB)]

    async def pods(self, phase: str | None = None) -> list[Manifest]:
        found = await self.cluster.list(POD)
        return [pod for pod in found if phase in (None, pod.get("status", {}).get("phase", "Pending"))]

    async def end(self, phase: str = "Succeeded") -> None:
        """What the kubelet would report of every Pod that runs."""
        for pod in await self.pods("Pending"):
            state = {"terminated": {"exitCode": 0, "finishedAt": self.clock.now()}}
            await self.cluster.apply_status(POD, pod, {"phase": phase, "containerStatuses": [{"state": state}]})
        await self.step()

    async def status(self) -> Manifest:
        (found,) = await self.cluster.list(CRON_JOB)
        status: Manifest = found["status"]
        return status

    def job(self, minute: int) -> str:
        return f"sync-{int(START.timestamp()) // 60 + minute}"


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_job_for_each_tick_named_after_it(stage: Stage) -> None:
    await stage.declare()
    for minute in (1, 2):
        await stage.to(minute * 60)
        await stage.end()
    assert await stage.jobs() == [stage.job(1), stage.job(2)]
    status = await stage.status()
    assert status["lastScheduleTime"] == status["lastSuccessfulTime"] == "2026-11-24T00:02:00Z"
    (pod, _) = await stage.pods()
    assert pod["metadata"]["labels"] == {"a": "b", JOB_NAME: stage.job(1)}


async def test_a_tick_that_meets_a_job_is_made_up_for_only_within_its_deadline(stage: Stage) -> None:
    await stage.declare(startingDeadlineSeconds=15)
    await stage.to(60 + 150)
    assert await stage.jobs() == [stage.job(1)]
    assert len((await stage.status())["active"]) == 1
    await stage.end()
    assert await stage.jobs() == [stage.job(1)], "the tick of minute 3 is 30 s old"
    await stage.to(240)
    assert await stage.jobs() == [stage.job(1), stage.job(4)]


async def test_with_a_long_deadline_one_tick_starts_late(stage: Stage) -> None:
    await stage.declare(startingDeadlineSeconds=600)
    await stage.to(60 + 150)
    await stage.end()
    assert await stage.jobs() == [stage.job(1), stage.job(3)]


async def test_nothing_starts_while_suspended(stage: Stage) -> None:
    await stage.declare(suspend=True)
    await stage.to(130)
    assert await stage.jobs() == []


async def test_a_zone_moves_the_ticks(stage: Stage) -> None:
    await stage.declare(schedule="1 1 * * *", timeZone="Europe/Berlin")
    await stage.to(70)
    assert await stage.jobs() == [stage.job(1)]


async def test_a_failed_pod_is_tried_again_after_a_pause(stage: Stage) -> None:
    await stage.declare({"backoffLimit": 1})
    await stage.to(60)
    await stage.end("Failed")
    await stage.to(69)
    assert len(await stage.pods()) == 1
    await stage.to(70)
    assert len(await stage.pods("Pending")) == 1
    await stage.end("Failed")
    (job,) = await stage.cluster.list(JOB)
    assert job["status"]["conditions"][0]["reason"] == "BackoffLimitExceeded"
    assert "active" not in await stage.status()


async def test_a_job_that_takes_too_long_is_ended(stage: Stage) -> None:
    await stage.declare({"activeDeadlineSeconds": 30})
    await stage.to(60)
    assert len(await stage.pods()) == 1
    await stage.to(91)
    assert await stage.pods() == []
    (job,) = await stage.cluster.list(JOB)
    assert job["status"]["conditions"][0]["reason"] == "DeadlineExceeded"


async def test_old_jobs_and_their_pods_are_forgotten(stage: Stage) -> None:
    await stage.declare(successfulJobsHistoryLimit=2)
    for minute in range(1, 6):
        await stage.to(minute * 60)
        await stage.end()
    await stage.step()
    assert await stage.jobs() == [stage.job(4), stage.job(5)]
    assert len(await stage.pods()) == 2
