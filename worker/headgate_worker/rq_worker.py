"""RQ's own worker, as far as its code ends a job: failures, retries, repeats, callbacks, dependents, webhooks."""

from __future__ import annotations

import inspect
import sys
from types import TracebackType
from typing import Any

from rq import Queue
from rq.callbacks import execute_failure_callback
from rq.exceptions import AbandonedJobError
from rq.executions import Execution
from rq.job import Job
from rq.worker.worker_classes import Worker

from headgate.gates.client import UNREACHABLE
from headgate_worker.webhooks import guard

_FROM_CALLBACK = "headgate_from_callback"
ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class RqEndings:
    """Mixed into one of RQ's worker classes. `queue` is the job's, `webhook_hosts` may be called."""

    queue: Queue
    webhook_hosts: tuple[str, ...]
    executions: dict[str, Execution]
    connection: Any
    name: str
    log: Any
    death_penalty_class: Any
    _finalize_success: Any
    _finalize_failure: Any
    _handle_stopped_job: Any
    _stopped_job_id: str | None
    handle_job_failure: Any

    def execution_of(self, job: Job, execution: str) -> Execution:
        """The execution that the grant wrote, as RQ's object."""
        record = Execution(id=execution, job_id=job.id, connection=self.connection, worker_name=self.name)
        record.created_at = job.started_at
        record._job = job
        self.executions[execution] = record
        return record

    def succeed(self, job: Job, execution: str, value: Any) -> bool:
        """What RQ does after a job returned `value`. False when a success callback raised: then the job failed."""
        guard(job, self.webhook_hosts)
        record = self.execution_of(job, execution)
        try:
            _own_errors(job)
            self._finalize_success(job, self.queue, record, value)
        except BaseException as error:
            if isinstance(error, UNREACHABLE) and _FROM_CALLBACK not in error.__dict__:
                raise  # the outcome is unknown, not a failure
            self._finalize_failure(job, self.queue, record, sys.exc_info())
            return False
        return True

    def fail(self, job: Job, execution: str, exc_info: ExcInfo) -> None:
        """What RQ does after a job raised."""
        guard(job, self.webhook_hosts)
        self._finalize_failure(job, self.queue, self.execution_of(job, execution), exc_info)

    def fail_without_callback(self, job: Job, execution: str, reason: str) -> None:
        """What RQ does when the process of a job died: `reason` is stored as its exception, Retry is honoured."""
        guard(job, self.webhook_hosts)
        record = self.execution_of(job, execution)
        job.ended_at = job.ended_at or record.last_heartbeat
        self.handle_job_failure(job, queue=self.queue, exc_string=reason, execution=record)

    def bury(self, job: Job, execution: str, reason: str) -> None:
        """To the dead set (RQ's FailedJobRegistry) for good: no retry, and none of the job's code is called."""
        job.retries_left = None
        self.fail_without_callback(job, execution, reason)

    def stop(self, job: Job, execution: str) -> None:
        """What RQ does after a stop-job command killed the process: stopped callback, status STOPPED, no retry."""
        self._stopped_job_id = job.id
        record = self.execution_of(job, execution)
        job.ended_at = job.ended_at or record.last_heartbeat
        self._handle_stopped_job(job, self.queue, record)

    def stop_without_callback(self, job: Job, execution: str) -> None:
        """The same when the stopped callback killed the process that ran it."""
        job._stopped_callback_name = None
        job._stopped_callback = None
        self.stop(job, execution)

    def abandon(self, job: Job, execution: str, reason: str) -> None:
        """What RQ's maintenance does with a job whose worker vanished: failure callback, then retry or fail."""
        try:
            error = AbandonedJobError()
            execute_failure_callback(job, self.death_penalty_class, AbandonedJobError, error, None)
        except Exception:
            self.log.exception("failure callback of abandoned job %s raised", job.id)
        self.fail_without_callback(job, execution, reason)


class RqWorker(RqEndings, Worker):  # type: ignore[misc]
    """One slot in RQ's eyes. It never dequeues, registers or beats: the gates and the supervisor do that."""

    log_result_lifespan = False

    def __init__(self, queue: str, name: str, connection: Any, serializer: Any, webhook_hosts: tuple[str, ...]) -> None:
        super().__init__([queue], name=name, connection=connection, serializer=serializer, prepare_for_work=False)
        self.log_job_description = False
        self.queue = self.queues[0]
        self.webhook_hosts = webhook_hosts

    def _set_connection(self, connection: Any) -> Any:
        """RQ would raise the socket timeout of the shared pool to 415 seconds."""
        return connection

    def procline(self, message: str) -> None:
        """Process titles are the slot's own."""


def _own_errors(job: Job) -> None:
    """Mark what the success callback raises: its broken connection to some server is no broken connection of ours."""
    callback = job.success_callback
    if callback is None or inspect.iscoroutinefunction(callback):
        return

    def marked(*args: Any) -> Any:
        try:
            return callback(*args)
        except UNREACHABLE as error:
            error.__dict__[_FROM_CALLBACK] = True
            raise

    job._success_callback = marked
