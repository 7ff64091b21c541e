"""RQ's worker classes with our claim, our fast path and our endings inside, for RQ's own test-suite.

RQ's tests make a `Worker` in their own process and call its methods, which the real `headgate-worker` (a tree of
processes) cannot stand in for. What these classes replace is exactly what Headgate replaces: taking a job (the claim
script instead of BLMOVE and RQ's bookkeeping), running it (fast_path.py) and ending it (finish, or seal, RQ's code,
release). Where a test calls RQ's methods on a job that was never granted, RQ's own method runs.
"""

import os
import time
from uuid import uuid4

from rq.executions import Execution
from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.worker.base import WorkerStatus
from rq.worker.worker_classes import SimpleWorker as RqSimpleWorker
from rq.worker.worker_classes import Worker as RqWorker

from headgate.gates.door import Door
from headgate.gates.verbs import Beat, Claim, Finished, Grant, NoPolicy, Owner, SlotBeat
from headgate.model.documents import JobRules, QueueDocument
from headgate_worker import logs
from headgate_worker.cells import Cells, Word
from headgate_worker.endings import Endings
from headgate_worker.fast_path import FastPath
from headgate_worker.lazy_job import build
from headgate_worker.logs import JobLines
from headgate_worker.rq_worker import RqEndings
from headgate_worker.rules import rules_of
from headgate_worker.slow_path import SlowPath

PAYLOADS = {DefaultSerializer: "Any", JSONSerializer: "JSON"}
POLL_SECONDS = 0.02
ANY_HOST = ("127.0.0.1", "localhost", "example.com")

logs.configure("text", "error")


def _count():
    """One byte a grant, so that the suite can tell that it ran against our claims at all."""
    path = os.environ.get("HEADGATE_CONFORMANCE_GRANTS")
    if path:
        with open(path, "ab") as file:
            file.write(b".")


class Gated(RqEndings):
    """Mixed in before RQ's class."""

    webhook_hosts = ANY_HOST

    @property
    def gated(self):
        """Whether Headgate would take these jobs: it knows one Job class and the serializers of its payload rules."""
        return (
            self.job_class.redis_job_namespace_prefix == Job.redis_job_namespace_prefix and self.serializer in PAYLOADS
        )

    @property
    def door(self):
        """One a process: a forked work-horse makes its own."""
        pid, door = self.__dict__.get("_door", (0, None))
        if pid != os.getpid():
            options = self.connection.connection_pool.connection_kwargs
            door = Door(
                f"redis://{options.get('host', 'localhost')}:{options.get('port', 6379)}/{options.get('db', 0)}"
            )
            self.__dict__["_door"] = (os.getpid(), door)
        return door

    def connect(self):
        """With `door` what the slow path needs of a slot's access to the store."""
        return self.connection

    @property
    def cell(self):
        """Shared with the work-horse."""
        if "_cells" not in self.__dict__:
            self.__dict__["_cells"] = Cells.create()
            self.__dict__["_grants"] = {}
        return self.__dict__["_cells"].slot(0)

    # ---- taking a job ----

    def dequeue_job_and_maintain_ttl(self, timeout, max_idle_time=None):
        if not self.gated:
            return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        self.set_state(WorkerStatus.IDLE)
        limits = [seconds for seconds in (timeout, max_idle_time) if seconds is not None]
        idle_until = time.monotonic() + (min(limits) if limits else 0)
        while True:
            self.heartbeat()
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
            for queue in self._ordered_queues:
                job = self._claim(queue)
                if job is not None:
                    self.reorder_queues(reference_queue=queue)
                    self.heartbeat()
                    return job, queue
            if time.monotonic() >= idle_until:
                self.heartbeat()
                return None
            time.sleep(POLL_SECONDS)

    def _claim(self, queue):
        execution = uuid4().hex
        claim = Claim(queue.name, self.name, self.name, execution, execution)
        answer = self.door.claim(claim)
        if isinstance(answer, NoPolicy):
            rules = JobRules(payload=PAYLOADS[self.serializer], deadline_seconds=86400, on_worker_lost="Fail")
            document = QueueDocument(queue=queue.name, per_worker=256, jobs=rules)
            self.door.publish(document, Owner(f"test/{queue.name}", queue.name, 1))
            answer = self.door.claim(claim)
        if not isinstance(answer, Grant):
            return None
        job = build(answer.job_id, answer.job, self.name, self.connection, self.serializer)
        job.__class__ = self.job_class
        grants = self.cell and self.__dict__["_grants"]
        grants[job.id] = answer
        _count()
        if self.log_job_description:
            self.log.info("Worker %s: %s: %s (%s)", self.name, queue.name, job.description, job.id)
        else:
            self.log.info("Worker %s: %s: %s", self.name, queue.name, job.id)
        return job

    def prepare_execution(self, job):
        grant = self.__dict__.get("_grants", {}).get(job.id)
        if grant is None:
            return super().prepare_execution(job)
        execution = Execution(id=grant.execution, job_id=job.id, connection=self.connection, worker_name=self.name)
        execution._job = job
        self.executions[execution.id] = execution
        self.set_state(WorkerStatus.BUSY)
        return execution

    # ---- running it ----

    def perform_job(self, job, queue, execution):
        grant = self.__dict__.get("_grants", {}).pop(job.id, None)
        if grant is None or execution is None or grant.execution != execution.id:
            return super().perform_job(job, queue, execution)
        self.queue = queue
        failed = self.cell.words[Word.FAILED]
        document = QueueDocument(
            queue=queue.name, jobs=JobRules(payload=PAYLOADS[self.serializer], deadline_seconds=86400)
        )
        rules = rules_of(grant.revision, document, 1 << 26)
        rules.functions._free = True  # RQ's tests call Python's own functions, which only a function list would allow
        lines = JobLines(queue.name, self.name, "text", "error")
        slow = SlowPath(self, self._unreachable)
        endings = Endings(self.cell, lines, slow, lambda _serializer: self, lambda: self.connection)
        fast = FastPath(queue.name, self.name, self.cell, lines, endings, lambda: self.connection)
        finish = fast.run(grant, rules)
        if finish is not None:
            self._finish(fast, finish)
        fast.idle()
        self.executions.pop(execution.id, None)
        return self.cell.words[Word.FAILED] == failed

    def _finish(self, fast, finish):
        finished = self.door.finish(finish)
        if finished is Finished.SLOW:
            fast.slowly()
        elif finished is Finished.OK:
            words = self.cell.words
            words[Word.PLAIN] += 1
            words[Word.PLAIN_US] += int(fast.last.seconds * 1e6)
            beat = SlotBeat(self.name, words[Word.PLAIN], words[Word.PLAIN_US] / 1e6)
            self.door.renew(Beat(self.name, self.name, finish.queue, 1, [beat], []))

    def _unreachable(self, error):
        raise error


class Worker(Gated, RqWorker):
    """RQ's forking worker: each job in a work-horse of its own."""


class SimpleWorker(Gated, RqSimpleWorker):
    """RQ's worker that runs jobs in its own process."""
