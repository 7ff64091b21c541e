"""The part of RQ's state that the gates read and write: queue lists, job hashes, executions, registries, workers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Job:
    """A job hash, the executions RQ knows of (execution -> slot) and the jobs that wait for it."""

    queue: str
    fields: dict[str, bytes]
    executions: dict[str, str] = field(default_factory=dict)
    dependents: set[str] = field(default_factory=set)

    @property
    def status(self) -> str:
        return self.fields.get("status", b"").decode()

    @property
    def losses(self) -> int:
        return int(self.fields.get("headgate_losses", b"0"))

    @property
    def runnable(self) -> bool:
        """Canceled and dataless ids are dropped when their turn comes."""
        return "data" in self.fields and self.status not in ("canceled", "stopped")


@dataclass(slots=True)
class Worker:
    """One slot as RQ sees it, until its hash expires (ms)."""

    expires: int
    successes: int = 0


@dataclass(slots=True)
class Rq:
    queues: dict[str, list[str]] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    finished: dict[str, set[str]] = field(default_factory=dict)
    failed: dict[str, set[str]] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    suspended: bool = False

    def list_of(self, queue: str) -> list[str]:
        return self.queues.setdefault(queue, [])

    def enqueue(self, queue: str, job_id: str, fields: dict[str, bytes], *, at_front: bool = False) -> int:
        """What plain `Queue.enqueue` leaves behind. Answers the length of the list."""
        self.jobs[job_id] = Job(queue, {"status": b"queued", **fields})
        self.list_of(queue).insert(0 if at_front else len(self.list_of(queue)), job_id)
        return len(self.list_of(queue))

    def start(self, job_id: str, execution: str, slot: str) -> None:
        job = self.jobs[job_id]
        job.fields |= {"status": b"started", "worker_name": slot.encode()}
        job.executions[execution] = slot

    def done(self, job_id: str, changes: dict[str, bytes]) -> None:
        """As handle_job_success leaves a job."""
        job = self.jobs[job_id]
        job.fields |= {"status": b"finished", **changes}
        job.executions.clear()
        self.finished.setdefault(job.queue, set()).add(job_id)

    def forget(self, job_id: str, execution: str) -> None:
        """As cleanup_execution does."""
        if job_id in self.jobs:
            self.jobs[job_id].executions.pop(execution, None)

    def put_back(self, queue: str, job_id: str) -> None:
        """To the front, as a job that never ran. Nothing when it was canceled, deleted or ended meanwhile."""
        job = self.jobs.get(job_id)
        if job is not None and job.status == "started":
            job.fields |= {"status": b"queued", "worker_name": b""}
            self.list_of(queue).insert(0, job_id)

    def fail(self, job_id: str) -> None:
        """What RQ's own failure code leaves behind."""
        job = self.jobs[job_id]
        job.fields["status"] = b"failed"
        job.executions.clear()
        self.failed.setdefault(job.queue, set()).add(job_id)
