"""The recorder's file: what happened, written by whoever saw it happen, on one clock of one machine.

One line an event, appended by one `write` to a file opened with O_APPEND, so that lines of many processes never mix:

    <kind> <at> <pid> <job> <queue> <key> <note>

`at` is CLOCK_MONOTONIC_RAW in nanoseconds: it never steps and nobody slews it. Absent fields are `-`. Kinds:

    S  user code of a job starts           E  it ended; note = ok | failed | limited
    A  an enqueue was acknowledged         L  a limit changes; note = its value
    K  the process `pid` was killed        F  it was frozen, or cut off from the store

Nothing here knows Headgate: the lines come from job code, from producers and from tests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FIELDS = 7
ABSENT = "-"


class Kind(StrEnum):
    START = "S"
    END = "E"
    ACKED = "A"
    LIMIT = "L"
    KILLED = "K"
    FROZEN = "F"


class Malformed(ValueError):
    """A line that no writer of this format can have written: the record cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line. `at` in nanoseconds of `clock()`; empty strings are fields that do not apply."""

    kind: Kind
    at: int
    pid: int
    job: str = ""
    queue: str = ""
    key: str = ""
    note: str = ""

    def line(self) -> bytes:
        words = (self.kind, self.at, self.pid, self.job, self.queue, self.key, self.note)
        fields = [str(word) or ABSENT for word in words]
        if any(field.split() != [field] for field in fields):
            raise Malformed(f"white space inside a field: {fields}")
        return (" ".join(fields) + "\n").encode()


def clock() -> int:
    """Now, in nanoseconds of the one clock that all events of a file use."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


class Writer:
    """Appends events to the file `path`, which it creates. Safe beside any number of other writers."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def add(self, kind: Kind, *, pid: int | None = None, at: int | None = None, **fields: str) -> Event:
        """Record now (or `at`, for what was seen a moment ago) and return what was written."""
        event = Event(kind, clock() if at is None else at, os.getpid() if pid is None else pid, **fields)
        os.write(self._fd, event.line())
        return event


def parse(line: str) -> Event:
    fields = line.split(" ")
    if len(fields) != FIELDS:
        raise Malformed(f"{len(fields)} fields instead of {FIELDS}: {line!r}")
    kind, at, pid, *rest = fields
    try:
        return Event(Kind(kind), int(at), int(pid), *("" if field == ABSENT else field for field in rest))
    except ValueError as error:
        raise Malformed(f"{error}: {line!r}") from error


def read(path: Path) -> list[Event]:
    """All events of the file in the order of their times; those of one instant stay in the order of the file."""
    return sorted(_lines(path), key=lambda event: event.at)


def _lines(path: Path) -> Iterator[Event]:
    text = path.read_text()
    if text and not text.endswith("\n"):
        raise Malformed(f"the last line is cut: {text.rsplit(chr(10), 1)[-1]!r}")
    for line in text.splitlines():
        yield parse(line)


def of(events: Iterable[Event], *kinds: Kind) -> list[Event]:
    """Those of the given kinds."""
    return [event for event in events if event.kind in kinds]
