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

    `known` is the job's hash, or what runs of plain jobs need of it; `plain`: a success of it is nothing to RQ's own
    code, nor are callbacks, and the rest of its hash is still in the store. `began`, `ended` are epoch seconds,
    `began_ns` CLOCK_MONOTONIC; `job` is a `LazyJob`. A success has its stored form in `result`.
    """

    __slots__ = (
        "began", "began_ns", "ended", "execution", "fence", "function", "job", "job_id", "known",
        "more", "places", "plain", "result", "result_ttl", "revision", "rules", "seconds", "value",
    )  # fmt: skip

    def __init__(
        self,
        job_id: bytes,
        execution: bytes,
        fence: int,
        places: tuple[bytes, ...],
        known: Mapping[bytes, bytes],
        revision: int,
        more: bool,
        plain: bool = False,
    ) -> None:
        self.job_id = job_id
        self.execution = execution
        self.fence = fence
        self.places = places
        self.known = known
        self.plain = plain
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
        code, job_id, fence, more, revision, places, *rest = answer
        if code == b"G":
            (flat,) = rest
            raw = dict(zip(flat[::2], flat[1::2], strict=True))
            return cls(job_id, execution, fence, tuple(places), raw, revision, more == 1)
        data, timeout, result_ttl, enqueued_at = rest
        known = {b"data": data, b"timeout": timeout, b"result_ttl": result_ttl, b"enqueued_at": enqueued_at}
        return cls(job_id, execution, fence, tuple(places), known, revision, more == 1, plain=True)

    @classmethod
    def of_grant(cls, grant: Grant) -> Run:
        places = tuple([place.encode(errors="surrogateescape") for place in grant.places])
        job_id, execution = grant.job_id.encode(), grant.execution.encode()
        return cls(job_id, execution, grant.fence, places, grant.job, grant.revision, grant.more)

    @property
    def grant(self) -> Grant:
        places = tuple([place.decode(errors="surrogateescape") for place in self.places])
        execution = self.execution.decode()
        return Grant(self.job_id.decode(), execution, self.fence, self.known, places, self.more, self.revision)

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
