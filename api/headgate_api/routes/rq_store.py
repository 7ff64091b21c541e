"""RQ's own code over RQ's own keys: what enqueues, cancels, stops, requeues and deletes jobs as RQ does.

Jobs are fetched with a serializer that understands nothing: what they hold is written back as it was read, never run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.utils import now

from headgate.errors import StoreUnavailable
from headgate.gates import client
from headgate_api.gate.store_url import StoreUrl
from headgate_api.pools import watch_pool

T = TypeVar("T")
DEFAULT_TIMEOUT_SECONDS = 180
"""RQ's own."""


class Refused(Exception):
    """RQ does not do that with this job as it is. `str` is one sentence."""


class Verbatim:
    """A serializer that keeps bytes."""

    class Kept(bytes):
        """What stood in the store."""

    @classmethod
    def loads(cls, data: bytes) -> Any:
        return cls.Kept(data)

    @classmethod
    def dumps(cls, value: Any) -> bytes:
        if not isinstance(value, cls.Kept):
            raise TypeError("only what was read is written")
        return bytes(value)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a producer may say of a job. Times in seconds."""

    function: str
    args: list[Any]
    kwargs: dict[str, Any]
    timeout: int | None = None
    result_ttl: int | None = None
    ttl: int | None = None
    meta: Mapping[str, Any] | None = None


class RqStore:
    """Blocking; call it off the event loop. Raises `StoreUnavailable`, `Refused`, and KeyError for no such job."""

    def __init__(self, url: StoreUrl) -> None:
        self._url = url
        self._dialled = ""
        self._dial()

    def close(self) -> None:
        self._client.close()

    @property
    def _connection(self) -> Any:
        """To where the store is now."""
        self._dial()
        return self._client

    def _dial(self) -> None:
        """What others do with the client before it at this moment, they end with it: it is only let go."""
        url = self._url.now()
        if url != self._dialled:
            self._client, self._dialled = client.connect(url), url
            watch_pool(self._client, "rq")

    def fields(self, queue: str, new: NewJob, *, as_json: bool) -> tuple[str, dict[str, bytes]]:
        """The id and the hash of a job as RQ would store it. Writes nothing."""
        job = Job.create(
            new.function,
            args=new.args,
            kwargs=new.kwargs,
            connection=self._connection,
            result_ttl=new.result_ttl,
            ttl=new.ttl,
            timeout=new.timeout or DEFAULT_TIMEOUT_SECONDS,
            origin=queue,
            meta=dict(new.meta) if new.meta else None,
            serializer=JSONSerializer if as_json else DefaultSerializer,
        )
        job.enqueued_at = now()
        found = (*job.to_dict().items(), ("status", JobStatus.QUEUED.value))
        return job.id, {name: value if isinstance(value, bytes) else str(value).encode() for name, value in found}

    def cancel(self, job_id: str) -> str:
        """`canceled`, or `stopping` when it runs: its worker is told to stop it."""

        def act(job: Job) -> str:
            if job.get_status() == JobStatus.STARTED:
                send_stop_job_command(self._connection, job_id, serializer=Verbatim)
                return "stopping"
            if job.is_finished or job.is_failed:
                raise Refused(f"it is {job.get_status().value} already")
            job.cancel()
            return "canceled"

        return self._with(job_id, act)

    def requeue(self, job_id: str) -> str:
        """Out of the dead set, to the end of its queue, as if no process had died of it; the queue's name."""

        def act(job: Job) -> str:
            dead = self._failed(job)
            if job.id not in dead:
                raise Refused("it is not in the dead set")
            self._connection.hdel(job.key, "headgate_losses")  # else its next lost process would be one too many
            dead.requeue(job)
            return str(job.origin)

        return self._with(job_id, act)

    def delete(self, job_id: str) -> None:
        """A dead job and its results."""

        def act(job: Job) -> None:
            if job.id not in self._failed(job):
                raise Refused("it is not in the dead set")
            job.delete()

        self._with(job_id, act)

    def _failed(self, job: Job) -> FailedJobRegistry:
        return FailedJobRegistry(job.origin, connection=self._connection, serializer=Verbatim)

    def _with(self, job_id: str, act: Callable[[Job], T]) -> T:
        try:
            return act(Job.fetch(job_id, connection=self._connection, serializer=Verbatim))
        except NoSuchJobError as error:
            raise KeyError(job_id) from error
        except InvalidJobOperation as error:
            raise Refused(str(error) or "it is not in the dead set") from error
        except client.FAULTS as error:
            raise StoreUnavailable(str(error)) from error
        except (ValueError, TypeError) as error:
            raise Refused(f"RQ cannot read its hash: {type(error).__name__}") from error
