"""What processes say of themselves once a minute, kept in the store for 48 hours, packed: 6 bytes a minute.

All times are the store's own, in milliseconds, unless they are minutes since the epoch.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from headgate.gates.wire import Argument

EVERY_SECONDS = 60.0
KEEP_MINUTES = 2880
MAX_SERIES = 16
SILENT_MS = 150_000
"""No sample for so long, no beat and no goodbye: the process has ended without one."""
MOST = 65_535
_USE, _REQUESTS = struct.Struct(">HHH"), struct.Struct(">HIHH")


@dataclass(frozen=True, slots=True)
class Requests:
    """One minute of one series (`<surface>/<rule>`): how many, and how long they took (ms, rounded up)."""

    series: str
    count: int
    p50_ms: int
    p99_ms: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One process now. `subject`: its queue, or its surfaces. `processors`: how many it may use (2.5 of a quota).

    `cpu`: processors kept busy since its last sample, so 0.5 is half a core. `memory_mib` 0: neither was measured, as
    it is too soon after the last sample. `goodbye`: it ends of its own accord.
    """

    instance: str
    kind: Literal["worker", "api"]
    pod: str
    host: str
    subject: str
    age_ms: int
    processors: float
    memory_mib: int
    cpu: float
    goodbye: bool = False
    requests: Sequence[Requests] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """One minute of one process."""

    minute: int
    memory_mib: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Process:
    """All that is known of one process. `ended`: its goodbye, 0 when it said none; `last`: its last sample."""

    instance: str
    kind: str
    pod: str
    host: str
    subject: str
    processors: float
    started: int
    last: int
    ended: int
    beats: bool
    uses: Sequence[Use]
    requests: Mapping[str, Sequence[tuple[int, Requests]]] = field(default_factory=dict)
    """By series: (minute, what it was asked in that minute)."""


@dataclass(frozen=True, slots=True)
class Samples:
    """`now` is the store's clock."""

    now: int
    processes: Sequence[Process]


class SampleStore(Protocol):
    """Raises `StoreUnavailable`; `StoreFull` (record only)."""

    def record_sample(self, sample: Sample) -> None: ...

    def read_samples(self, since: int) -> Samples: ...


def record_arguments(sample: Sample) -> list[Argument]:
    arguments: list[Argument] = [sample.instance, sample.kind, sample.pod, sample.host, sample.subject, sample.age_ms]
    arguments += (round(sample.processors * 100), sample.memory_mib, round(sample.cpu * 1000), int(sample.goodbye))
    for each in sample.requests[:MAX_SERIES]:
        arguments += (each.series, each.count, each.p50_ms, each.p99_ms)
    return arguments


def samples(reply: Sequence[Any], since: int) -> Samples:
    """The reply of `read_samples`; minutes before `since` are left out."""
    now = int(reply[2])
    return Samples(now, [_process(name, beats, flat, now, since) for name, beats, flat in reply[3] if flat])


def _process(name: bytes, beats: int, flat: Sequence[bytes], now: int, since: int) -> Process:
    found = dict(zip(flat[::2], flat[1::2], strict=True))
    words = {key: found[key.encode()].decode() for key in ("kind", "pod", "host", "subject")}
    first, last = since // 60_000, now // 60_000
    uses = (Use(_minute(at, last), memory, cpu / 1000) for at, memory, cpu in _USE.iter_unpack(found.get(b"use", b"")))
    series = {
        field[4:].decode(): [
            (_minute(at, last), Requests(field[4:].decode(), count, p50, p99))
            for at, count, p50, p99 in _REQUESTS.iter_unpack(ring)
            if _minute(at, last) >= first
        ]
        for field, ring in found.items()
        if field.startswith(b"for:")
    }
    return Process(
        name.decode(),
        **words,
        processors=int(found[b"cpus"]) / 100,
        started=int(found[b"started"]),
        last=int(found[b"at"]),
        ended=int(found[b"ended"]),
        beats=beats == 1,
        uses=[use for use in uses if use.minute >= first],
        requests=series,
    )


def _minute(short: int, last: int) -> int:
    """The minute that was written in 16 bits: the newest such one that is not after `last`."""
    return last - (last - short) % (MOST + 1)
