"""One run of one granted job, from its grant to its ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from headgate.gates.verbs import Grant, Holding
from headgate_worker.cells import pack
from headgate_worker.rules import Rules

NO_RULES: Any = None


class Run:
    """As the store said it, in bytes: most runs end without anybody asking for more.

    `raw` is the job's hash; `began`, `ended` are epoch seconds, `began_ns` CLOCK_MONOTONIC; `job` is a `LazyJob`.
    A plain success has its stored form in `result`.
    """

    __slots__ = (
        "began", "began_ns", "ended", "execution", "fence", "function", "job", "job_id", "more", "places", "raw",
        "result", "result_ttl", "revision", "rules", "seconds", "value",
    )  # fmt: skip

    def __init__(
        self,
        job_id: bytes,
        execution: bytes,
        fence: int,
        places: tuple[bytes, ...],
        raw: Mapping[bytes, bytes],
        revision: int,
        more: bool,
    ) -> None:
        self.job_id = job_id
        self.execution = execution
        self.fence = fence
        self.places = places
        self.raw = raw
        self.revision = revision
        self.more = more
        self.rules: Rules = NO_RULES
        self.began = self.ended = self.seconds = 0.0
        self.began_ns = self.result_ttl = 0
        self.job: Any = None
        self.value: Any = None
        self.function = "-"
        self.result = b""

    @classmethod
    def of_answer(cls, answer: Sequence[Any], execution: bytes) -> Run:
        """`answer` is a grant as the script gives it (lua/lib/claim.lua)."""
        _code, job_id, fence, more, revision, places, flat = answer
        raw = dict(zip(flat[::2], flat[1::2], strict=True))
        return cls(job_id, execution, fence, tuple(places), raw, revision, more == 1)

    @classmethod
    def of_grant(cls, grant: Grant) -> Run:
        places = tuple([place.encode(errors="surrogateescape") for place in grant.places])
        job_id, execution = grant.job_id.encode(), grant.execution.encode()
        return cls(job_id, execution, grant.fence, places, grant.job, grant.revision, grant.more)

    @property
    def grant(self) -> Grant:
        places = tuple([place.decode(errors="surrogateescape") for place in self.places])
        execution = self.execution.decode()
        return Grant(self.job_id.decode(), execution, self.fence, self.raw, places, self.more, self.revision)

    def record(self) -> bytes | None:
        """As `cells.pack`."""
        places = self.places
        blob = b"\0".join((self.job_id, self.execution, b"%d" % self.fence, *places))
        if len(blob) < 4096 and blob.count(b"\0") == 2 + len(places):
            return blob
        grant = self.grant
        return pack(grant.job_id, grant.execution, grant.fence, grant.places)

    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self.began, UTC)

    def holding(self, queue: str, slot: str) -> Holding:
        grant = self.grant
        return Holding(queue, slot, grant.job_id, grant.execution, grant.fence, grant.places)
