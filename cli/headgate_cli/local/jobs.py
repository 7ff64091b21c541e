"""Job -> Pods, for the in-memory cluster: one Pod at a time, retries with back-off, a deadline, and how it ended.

What `headgate.desired` puts into a Job and no more: completions and parallelism are 1.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timedelta

from headgate.control.ports import JOB, POD, Clock, Kind, Manifest
from headgate.errors import Conflict
from headgate_cli.local.memory_cluster import EventType, MemoryCluster

LOOK_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 10
"""Before the second attempt; doubled before each one after it, as the Job controller does."""
JOB_NAME = "batch.kubernetes.io/job-name"


class JobController:
    """Keeps the Pods and the status of every Job as its spec wants them, until `run` is cancelled."""

    def __init__(self, cluster: MemoryCluster, clock: Clock) -> None:
        self._cluster, self._clock = cluster, clock
        self._changed = asyncio.Event()
        cluster.watch(self._note)

    async def run(self) -> None:
        while True:
            self._changed.clear()
            await self.step()
            with suppress(TimeoutError):  # deadlines and back-offs pass by time alone
                await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)

    async def step(self) -> None:
        for job in await self._cluster.list(JOB):
            if finished(job) is None and "deletionTimestamp" not in job["metadata"]:
                await self._reconcile(job)

    async def _reconcile(self, job: Manifest) -> None:
        pods = await self._pods_of(job)
        failed = [pod for pod in pods if _phase(pod) == "Failed"]
        running = [pod for pod in pods if _phase(pod) not in ("Failed", "Succeeded")]
        now, started = self._now(), job.get("status", {}).get("startTime") or self._clock.now()
        over = _ended(job, pods, failed, _since(started, now))
        if over:
            for pod in running:
                metadata = pod["metadata"]
                await self._cluster.delete(POD, metadata["namespace"], metadata["name"], metadata["uid"])
        elif not running and self._may_start(failed, now):
            await self._cluster.apply(POD, _pod(job), manager="job-controller")
            running = [{}]
        status = {
            "startTime": started,
            **_count("active", [] if over else running),
            **_count("failed", failed),
            **_count("succeeded", [pod for pod in pods if _phase(pod) == "Succeeded"]),
        }
        if over:
            type_, reason = over
            moment = self._clock.now()
            condition = {"type": type_, "status": "True", "lastTransitionTime": moment, "reason": reason}
            status |= {"conditions": [condition], "completionTime": moment}
        with suppress(Conflict):
            await self._cluster.apply_status(JOB, job, status)

    async def _pods_of(self, job: Manifest) -> list[Manifest]:
        metadata = job["metadata"]
        found = await self._cluster.list(POD, metadata["namespace"], {JOB_NAME: metadata["name"]})
        return [pod for pod in found if owned_by(pod, job)]

    def _may_start(self, failed: Sequence[Manifest], now: datetime) -> bool:
        if not failed:
            return True
        ended = max(_finished_at(pod) or now for pod in failed)
        return now >= ended + timedelta(seconds=FIRST_BACKOFF_SECONDS * 2 ** (len(failed) - 1))

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._clock.now())

    def _note(self, _type: EventType, kind: Kind, _manifest: Manifest) -> None:
        if kind in (JOB, POD):
            self._changed.set()


def finished(job: Manifest) -> bool | None:
    """True: it succeeded; False: it failed; None: it goes on."""
    types = {each["type"] for each in job.get("status", {}).get("conditions", []) if each["status"] == "True"}
    return None if not types & {"Complete", "Failed"} else "Complete" in types


def owned_by(child: Manifest, owner: Manifest) -> bool:
    return any(each["uid"] == owner["metadata"]["uid"] for each in child["metadata"].get("ownerReferences", []))


def _ended(
    job: Manifest, pods: Sequence[Manifest], failed: Sequence[Manifest], seconds: float
) -> tuple[str, str] | None:
    spec = job["spec"]
    if any(_phase(pod) == "Succeeded" for pod in pods):
        return "Complete", "CompletionsReached"
    if len(failed) > spec.get("backoffLimit", 6):
        return "Failed", "BackoffLimitExceeded"
    late = seconds >= spec.get("activeDeadlineSeconds", float("inf"))
    return ("Failed", "DeadlineExceeded") if late else None


def _pod(job: Manifest) -> Manifest:
    metadata, template = job["metadata"], deepcopy(job["spec"]["template"])
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template.get("metadata", {}),
            "name": f"{metadata['name']}-{secrets.token_hex(3)}",
            "namespace": metadata["namespace"],
            "labels": {**template.get("metadata", {}).get("labels", {}), JOB_NAME: metadata["name"]},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": template["spec"],
    }


def _phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _finished_at(pod: Manifest) -> datetime | None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        if "terminated" in container["state"]:
            return datetime.fromisoformat(container["state"]["terminated"]["finishedAt"])
    return None


def _since(started: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(started)).total_seconds()


def _count(name: str, pods: Sequence[Manifest]) -> Manifest:
    return {name: len(pods)} if pods else {}
