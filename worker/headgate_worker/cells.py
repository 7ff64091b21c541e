"""Shared memory between the supervisor and its slots: what each slot runs, its counters, its deadlines.

One file of 8 KiB cells; cell 0 is the worker's own, cell i+1 belongs to slot i. A slot writes with a few stores and no
system call; the supervisor looks when it wants to. A record is guarded by a sequence number, odd while it is written.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from dataclasses import dataclass
from enum import IntEnum

CELL_BYTES = 8192
BLOB_AT = 1024
FUNCTION_AT = 768
FUNCTION_BYTES = BLOB_AT - FUNCTION_AT
BLOB_BYTES = CELL_BYTES - BLOB_AT
WORDS = CELL_BYTES // 8
MOST_SLOTS = 256
SECONDS_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the histograms of job and wait seconds; a last bucket takes the rest."""


class Word(IntEnum):
    """Index of each 8-byte word of a slot's cell."""

    SEQ = 0
    PHASE = 1
    STARTED_NS = 2  # CLOCK_MONOTONIC when the job began
    SOFT_NS = 3  # when JobTimeoutException is due, 0 never
    HARD_NS = 4  # when the supervisor kills, 0 never
    BLOB_BYTES = 5
    FUNCTION_BYTES = 6
    QUIT = 7  # written by the supervisor: leave at the next job boundary
    HOLD = 8  # written by the supervisor: finish what runs, claim nothing; outlives the slot's process
    GRANTED = 16
    SUCCEEDED = 17
    FAILED = 18
    DEFERRED = 19
    LOST = 20
    RETURNED = 21
    PLAIN = 22  # successes whose RQ worker counters the supervisor writes, not RQ's own code
    PLAIN_US = 23
    JOB_US = 24  # sums of the two histograms
    WAIT_US = 25
    WAITS = 26
    TRIPS = 27  # round trips to the store
    CLAIMS = 28  # number of the claim that is on its way: with the slot's prefix its nonce
    JOB_BUCKETS = 32
    WAIT_BUCKETS = 48


class WorkerWord(IntEnum):
    """Index of each word of cell 0, written by the supervisor."""

    DRAINING = 0
    IDLE_SLOTS = 1  # a grant that leaves work behind is worth telling only when somebody is idle


class Phase(IntEnum):
    ABSENT = 0
    STARTING = 1
    IDLE = 2
    ASKING = 3  # finish and/or claim is on its way; the record is the job being finished, if any
    RUNNING = 4
    SEALED = 5  # RQ's own code is finishing it


@dataclass(frozen=True, slots=True)
class Held:
    """What a slot holds: enough to renew, to hand back, to fail. Times are CLOCK_MONOTONIC nanoseconds."""

    phase: Phase
    job_id: str
    execution: str
    fence: int
    places: tuple[str, ...]
    function: str
    started_ns: int
    soft_ns: int
    hard_ns: int


class Cells:
    """The mapping. `fd` is inherited by the template and its slots."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, CELL_BYTES * (MOST_SLOTS + 1))
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")

    @classmethod
    def create(cls) -> Cells:
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("headgate-cells")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, CELL_BYTES * (MOST_SLOTS + 1))
        return cls(fd)

    def worker(self) -> memoryview:
        """The words of cell 0."""
        return self._words[:WORDS]

    def slot(self, index: int) -> Cell:
        at = (index + 1) * CELL_BYTES
        return Cell(self._bytes[at : at + CELL_BYTES])


class Cell:
    """One slot's cell. The slot calls `hold`, `clear` and counts in `words`; the supervisor calls `read`, `erase`."""

    __slots__ = ("_bytes", "_named", "words")

    def __init__(self, view: memoryview) -> None:
        self._bytes = view
        self._named: bytes | None = None
        self.words = view.cast("Q")

    @property
    def phase(self) -> Phase:
        return Phase(self.words[1] if self.words[1] <= Phase.SEALED else 0)

    def hold(self, blob: bytes, started_ns: int, soft_ns: int, hard_ns: int) -> None:
        """Begin a job: its record, its times, phase RUNNING. `blob` comes from `pack`."""
        words = self.words
        seq = words[0] | 1
        words[0] = seq
        size = len(blob)
        self._bytes[BLOB_AT : BLOB_AT + size] = blob
        words[5] = size
        words[6] = 0
        words[2] = started_ns
        words[3] = soft_ns
        words[4] = hard_ns
        words[1] = 4
        words[0] = seq + 1

    def name(self, function: bytes) -> None:
        """The running function's name, cut to what fits; for log lines only."""
        size = min(len(function), FUNCTION_BYTES)
        if function != self._named:
            self._bytes[FUNCTION_AT : FUNCTION_AT + size] = function[:size]
            self._named = function
        self.words[6] = size

    def clear(self, phase: int) -> None:
        """No job any more."""
        words = self.words
        seq = words[0] | 1
        words[0] = seq
        words[1] = phase
        words[5] = words[3] = words[4] = 0
        words[0] = seq + 1

    def erase(self) -> None:
        """Before a new process takes the cell: everything but the counters, which belong to the slot's name."""
        self.words[7] = 0
        self.clear(Phase.ABSENT)

    def read(self) -> Held | None:
        """What the slot holds now, None when nothing. A torn record (the slot died inside `hold`) reads as nothing."""
        for _ in range(8):
            seq = self.words[0]
            if seq & 1:
                continue
            size = min(self.words[5], BLOB_BYTES)
            blob = bytes(self._bytes[BLOB_AT : BLOB_AT + size])
            times = (self.words[2], self.words[3], self.words[4])
            phase, named = self.phase, min(self.words[6], FUNCTION_BYTES)
            function = bytes(self._bytes[FUNCTION_AT : FUNCTION_AT + named]).decode("utf-8", "replace")
            if self.words[0] == seq:
                return _unpack(blob, phase, function, times)
        return None


def pack(job_id: str, execution: str, fence: int, places: tuple[str, ...]) -> bytes | None:
    """The record of a job for `Cell.hold`, None when it does not fit (a job id and key of kilobytes)."""
    fields = [job_id, execution, str(fence), *places]
    text = "\0".join(fields)
    if text.count("\0") != len(fields) - 1:
        text = "\0" + json.dumps(fields)
    blob = text.encode("utf-8", "surrogateescape")
    return blob if len(blob) <= BLOB_BYTES else None


def _unpack(blob: bytes, phase: Phase, function: str, times: tuple[int, int, int]) -> Held | None:
    text = blob.decode("utf-8", "surrogateescape")
    try:
        fields: list[str] = json.loads(text[1:]) if text.startswith("\0") else text.split("\0")
        job_id, execution, fence, *places = fields
        return Held(phase, job_id, execution, int(fence), tuple(places), function, *times)
    except (ValueError, TypeError):
        return None
