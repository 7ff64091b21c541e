"""A job of a queue: put in once for each attempt, and waited for, so that Forbid, deadline and exit code are real."""

from __future__ import annotations

import time
from contextlib import suppress

from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job

from headgate.errors import InvalidInput, StoreUnavailable
from headgate.gates import client
from headgate.gates.door import Door
from headgate.gates.verbs import Enqueue, Exists, Full
from headgate.model.documents import TaskDocument
from headgate_worker.functions import Functions
from headgate_worker.payload import SERIALIZERS, Refused

GOOD = ("finished",)
OPEN = ("queued", "started", "deferred", "scheduled", "created")
LOOK_SECONDS = 0.5


class JobWork:
    """Raises InvalidInput when the queue does not take it."""

    def __init__(self, document: TaskDocument, fence: int, door: Door, url: str) -> None:
        self.failure = ""
        self._connection = client.connect(url)
        self._queue = document.queue or ""
        self._id = self._enqueue(document, fence, door)

    def _enqueue(self, document: TaskDocument, fence: int, door: Door) -> str:
        declared = door.read_document(self._queue)
        payload, functions = (declared[1].jobs.payload, declared[1].jobs.functions) if declared else ("Any", None)
        try:
            Functions(functions, trusted=payload == "Any").check(document.function)
        except Refused as refusal:
            raise InvalidInput(str(refusal)) from None
        job = Job.create(
            document.function,
            args=document.args,
            kwargs=document.kwargs,
            connection=self._connection,
            origin=self._queue,
            status="queued",
            timeout=document.deadline_seconds,
            serializer=SERIALIZERS[payload],
            id=f"{document.name.replace('/', '_').replace('.', '-')}-{fence}",
        )
        job.enqueued_at = job.created_at
        fields = {name: _bytes(value) for name, value in (*job.to_dict().items(), ("status", "queued"))}
        answer = door.enqueue(Enqueue(self._queue, job.id, fields, idempotency_key=f"task/{document.name}/{fence}"))
        if isinstance(answer, Full):
            raise InvalidInput(
                f"queue {self._queue} is full: {answer.length} jobs wait, its backlog limit is {answer.limit}"
            )
        return answer.job_id if isinstance(answer, Exists) else job.id

    def poll(self, seconds: float) -> bool | None:
        end = time.monotonic() + seconds
        while True:
            status = self._status()
            if status in GOOD:
                return True
            if status not in OPEN:
                self.failure = f"job {self._id} is {status}"
                return False
            left = end - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(LOOK_SECONDS, left))

    def _status(self) -> str:
        """`queued` also while the store does not tell."""
        try:
            found = self._connection.hget(Job.key_for(self._id), "status")
        except client.FAULTS:
            return "queued"
        return found.decode() if isinstance(found, bytes) else "gone"

    def stop(self) -> None:
        """Out of the queue when it waits there; its slot ends it when it runs."""
        with suppress(NoSuchJobError, InvalidJobOperation, StoreUnavailable, *client.FAULTS):
            job = Job.fetch(self._id, connection=self._connection)
            if job.get_status() == "started":
                send_stop_job_command(self._connection, self._id)
            else:
                job.cancel()

    def kill(self) -> None:
        """A job has its own timeout, the task's deadline; no more can be done from here."""
        self.stop()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
