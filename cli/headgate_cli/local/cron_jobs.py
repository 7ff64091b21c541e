"""CronJob -> Jobs, for the in-memory cluster, by the rules of Kubernetes' own controller, late starts included.

With Forbid a tick that meets a running Job is not forgotten: the newest one is started when the Job ends, unless
`startingDeadlineSeconds` has passed by then. That is why the gate must refuse ticks, here as in a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timedelta

from headgate.control.ports import CRON_JOB, JOB, Clock, Kind, Manifest
from headgate.errors import Conflict
from headgate.schedule import parsed
from headgate_cli.local.jobs import finished, owned_by
from headgate_cli.local.memory_cluster import EventType, MemoryCluster

LOOK_SECONDS = 1.0


class CronJobController:
    """Starts Jobs and keeps the status of every CronJob, until `run` is cancelled."""

    def __init__(self, cluster: MemoryCluster, clock: Clock) -> None:
        self._cluster, self._clock = cluster, clock
        self._changed = asyncio.Event()
        cluster.watch(self._note)

    async def run(self) -> None:
        while True:
            self._changed.clear()
            await self.step()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)

    async def step(self) -> None:
        for cron_job in await self._cluster.list(CRON_JOB):
            if "deletionTimestamp" not in cron_job["metadata"]:
                await self._reconcile(cron_job)

    async def _reconcile(self, cron_job: Manifest) -> None:
        metadata, before = cron_job["metadata"], cron_job.get("status", {})
        jobs = [job for job in await self._cluster.list(JOB, metadata["namespace"]) if owned_by(job, cron_job)]
        active = [job for job in jobs if finished(job) is None]
        tick, last = self._due(cron_job), before.get("lastScheduleTime")
        if tick and not (active and cron_job["spec"].get("concurrencyPolicy") == "Forbid"):
            active.append(await self._cluster.apply(JOB, _job(cron_job, tick), manager="cronjob-controller"))
            last = tick.strftime("%Y-%m-%dT%H:%M:%SZ")
        good = [job["status"]["completionTime"] for job in jobs if finished(job)]
        status = {
            **({"active": [_reference(job) for job in active]} if active else {}),
            **({"lastScheduleTime": last} if last else {}),
        }
        succeeded = max(filter(None, (before.get("lastSuccessfulTime"), *good)), default=None)
        if succeeded:
            status["lastSuccessfulTime"] = succeeded
        with suppress(Conflict):
            await self._cluster.apply_status(CRON_JOB, cron_job, status)
        await self._forget(cron_job, jobs)

    def _due(self, cron_job: Manifest) -> datetime | None:
        """The newest tick that is not met and not too old."""
        spec, now = cron_job["spec"], datetime.fromisoformat(self._clock.now())
        if spec.get("suspend"):
            return None
        since = datetime.fromisoformat(
            cron_job.get("status", {}).get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"]
        )
        if "startingDeadlineSeconds" in spec:
            since = max(since, now - timedelta(seconds=spec["startingDeadlineSeconds"]))
        due = parsed(spec["schedule"], spec.get("timeZone", "Etc/UTC")).between(since, now, most=1)
        return due[-1] if due else None

    async def _forget(self, cron_job: Manifest, jobs: Sequence[Manifest]) -> None:
        """Only so many ended Jobs are kept, and their Pods with them."""
        spec = cron_job["spec"]
        for good, kept in (
            (True, spec.get("successfulJobsHistoryLimit", 3)),
            (False, spec.get("failedJobsHistoryLimit", 1)),
        ):
            over = sorted((job for job in jobs if finished(job) is good), key=lambda job: job["status"]["startTime"])
            for job in over[: max(0, len(over) - kept)]:
                metadata = job["metadata"]
                await self._cluster.delete(JOB, metadata["namespace"], metadata["name"], metadata["uid"])

    def _note(self, _type: EventType, kind: Kind, _manifest: Manifest) -> None:
        if kind in (CRON_JOB, JOB):
            self._changed.set()


def _job(cron_job: Manifest, tick: datetime) -> Manifest:
    metadata, template = cron_job["metadata"], deepcopy(cron_job["spec"]["jobTemplate"])
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **template.get("metadata", {}),
            "name": f"{metadata['name']}-{int(tick.timestamp()) // 60}",
            "namespace": metadata["namespace"],
            "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": tick.isoformat()},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": template["spec"],
    }


def _reference(job: Manifest) -> Manifest:
    metadata = job["metadata"]
    return {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "namespace": metadata["namespace"]}
