"""How a job ends in its own slot when it is not a plain success: by RQ's own code, counted, and named in the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rq.exceptions import DeserializationError
from rq.job import Job
from rq.timeouts import JobTimeoutException

from headgate_worker.cells import Cell, Phase, Word
from headgate_worker.lazy_job import build, built
from headgate_worker.logs import JobLines
from headgate_worker.payload import Refused
from headgate_worker.rq_worker import ExcInfo, RqWorker
from headgate_worker.runs import Run
from headgate_worker.slow_path import Act, SlowPath
from headgate_worker.timeouts import SECOND

BOUNCES = "headgate_bounces"
"""Field of the job's hash: RateLimited raised this many times in a row."""
MOST_BOUNCES = 100
ENDING_SECONDS = 600
"""How long RQ's code with the job's callbacks (60 s each by default, RQ lets them choose) may take at most."""


class Endings:
    """`worker` gives RQ's worker for a serializer; `connect` the slot's own `redis.Redis`."""

    def __init__(
        self,
        cell: Cell,
        lines: JobLines,
        slow: SlowPath,
        worker: Callable[[Any], RqWorker],
        connect: Callable[[], Any],
    ) -> None:
        self._cell = cell
        self._lines = lines
        self._slow = slow
        self._worker = worker
        self._connect = connect

    def succeeded(self, run: Run) -> None:
        """Returned a value, but RQ has more to do than to store it. A success callback may still fail the job."""
        succeeded: list[bool] = []

        def act(worker: RqWorker, job: Job) -> None:
            succeeded[:] = [worker.succeed(job, run.grant.execution, run.value)]

        self._conclude(run, act, lambda: "ok" if succeeded == [True] else "failed")

    def failed(self, run: Run, exc_info: ExcInfo) -> None:
        """Raised. RQ's code retries or fails it, with the failure callback, dependents and webhooks."""
        error = exc_info[1]
        outcome = "timeout" if isinstance(error, JobTimeoutException) else "failed"
        if isinstance(error, DeserializationError) and error.__cause__ is not None:
            error = error.__cause__

        def act(worker: RqWorker, job: Job) -> None:
            if job.should_retry:
                nonlocal outcome
                outcome = "retried"
            if run.grant.job.get(BOUNCES.encode()):
                self._connect().hdel(job.key, BOUNCES)
            worker.fail(job, run.grant.execution, exc_info)

        self._conclude(run, act, lambda: outcome, f"{type(error).__name__}: {error}")

    def refused(self, run: Run, refusal: Refused) -> None:
        """The policy does not let it run: to the dead set with the reason, nothing of it was called."""

        def act(worker: RqWorker, job: Job) -> None:
            worker.bury(job, run.grant.execution, str(refusal))

        self._conclude(run, act, lambda: "refused", str(refusal))

    def bounced_too_often(self, run: Run) -> bool:
        """Count one more RateLimited in a row; a provider that never lets a job through fails it in the end."""
        key = f"{Job.redis_job_namespace_prefix}{run.grant.job_id}"
        return int(self._slow.patiently(lambda: self._connect().hincrby(key, BOUNCES, 1))) > MOST_BOUNCES

    def _job(self, run: Run, act: Act) -> tuple[Job, Act]:
        """The job for RQ's code. A hash that RQ itself cannot read is buried, not left to kill worker after worker."""
        try:
            job = built(run.job)
        except Exception as error:
            reason = f"PayloadRefused: the job's hash cannot be read: {error}"
            fields, connection = ("data", "origin", "description"), self._connect()
            read = self._slow.patiently(lambda: connection.hmget(Job.key_for(run.grant.job_id), fields))
            raw = {field.encode(): value for field, value in zip(fields, read, strict=True) if value is not None}
            job = build(
                run.grant.job_id, raw, self._worker(run.rules.serializer).name, connection, run.rules.serializer
            )
            return job, lambda worker, bare: worker.bury(bare, run.grant.execution, reason)
        job.started_at = run.started_at()
        return job, act

    def _conclude(self, run: Run, act: Act, outcome: Callable[[], str], error: str | None = None) -> None:
        cell, words = self._cell, self._cell.words
        words[Word.PHASE] = Phase.SEALED
        words[Word.HARD_NS] = time.monotonic_ns() + ENDING_SECONDS * SECOND
        serializer = run.rules.serializer
        job, act = self._job(run, act)
        rq = self._worker(serializer)
        holding = run.holding(rq.queue.name, rq.name)
        if self._slow.conclude(lambda: self._worker(serializer), job, holding, act):
            ending = outcome()
            words[Word.SUCCEEDED if ending == "ok" else Word.FAILED] += 1
        else:
            ending = "lost"
            words[Word.LOST] += 1
        self._lines.end(run.grant.job_id, run.function, run.seconds, ending, error)
        cell.clear(Phase.ASKING)
