"""`rq.get_current_job()` without building a `Job` for jobs that never ask: it becomes one at its first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from rq.job import Job, JobStatus

Connect = Callable[[], Any]
"""Gives the slot's `redis.Redis`, opening it at the first call."""


class HasHash(Protocol):
    """A `Run`, of which only these are looked at, and only when the job is built."""

    job_id: bytes
    known: Mapping[bytes, bytes]
    plain: bool


class LazyJob(Job):  # type: ignore[misc]
    """A running job that is not built yet. The first attribute that is read turns it into a plain `Job`."""

    def __init__(self, run: HasHash, worker: str, connect: Connect, serializer: Any) -> None:
        self.__dict__["_lazy"] = (run, worker, connect, serializer)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_lazy" not in self.__dict__:
            raise AttributeError(name)
        build_into(self)
        return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        build_into(self)
        setattr(self, name, value)


def build_into(lazy: LazyJob) -> None:
    """Turn it into a `Job`, keeping what a later comparison needs to see whether the job's code changed it."""
    run, worker, connect, serializer = lazy.__dict__["_lazy"]
    job_id, raw = run.job_id.decode(), run.known
    if run.plain:  # the claim answered only what a run needs; a hash that was deleted meanwhile adds nothing
        raw = {**raw, **connect().hgetall(Job.key_for(job_id))}
    ready = build(job_id, raw, worker, connect(), serializer)
    object.__setattr__(lazy, "__class__", Job)  # from here on `lazy.x = y` is a plain assignment
    lazy.__dict__.clear()
    lazy.__dict__.update(ready.__dict__)
    lazy.__dict__["_as_granted"] = lazy.to_dict(include_meta=False, include_result=False)


def built(job: Any) -> Job:
    """The job itself, built now if its code never asked for it."""
    if type(job) is LazyJob:
        build_into(job)
    return job


def build(job_id: str, raw: Mapping[bytes, bytes], worker: str, connection: Any, serializer: Any) -> Job:
    """A `Job` as RQ's own worker has it while the job runs."""
    job = Job.__new__(Job)
    Job.__init__(job, connection=connection, serializer=serializer)
    job._id = job_id  # RQ's own producers check ids; one that is stored is run whatever its letters are
    job.restore({b"data": b"", **raw})
    job.worker_name = worker
    job._status = JobStatus.STARTED
    job.last_heartbeat = datetime.now(UTC)
    if job.started_at is None:
        job.started_at = job.last_heartbeat
    return job


def is_built(job: Any) -> bool:
    """Whether the job's code asked for its job at all."""
    return type(job) is not LazyJob


def was_changed(job: Job) -> bool:
    """Whether the job's code changed fields that RQ saves with a success (everything but `meta` and the result)."""
    return bool(job.to_dict(include_meta=False, include_result=False) != job.__dict__.get("_as_granted"))
