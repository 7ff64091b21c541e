"""How a process comes by its samples: what it used since the last one, and how long its requests took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from headgate import usage
from headgate.gates.samples import MAX_SERIES, Requests, Sample

STEP = 1.1
"""Durations are counted in steps of ten per cent: a quantile is right within that."""
SOON_SECONDS = 5.0
"""Sooner than this after the last sample there is nothing to measure: a start, or a goodbye."""


class Latencies:
    """Durations by series (`<surface>/<rule>`) since the last `take`; a new series beyond 16 is not counted."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[int]] = {}

    def add(self, series: str, seconds: float) -> None:
        counts = self._counts.get(series)
        if counts is None:
            if len(self._counts) >= MAX_SERIES:
                return
            counts = self._counts[series] = Counter()
        counts[math.ceil(math.log(max(seconds, 0.001) * 1000, STEP) - 1e-9)] += 1

    def take(self) -> list[Requests]:
        counts, self._counts = self._counts, {}
        return [
            Requests(series, found.total(), _quantile(found, 0.5), _quantile(found, 0.99))
            for series, found in counts.items()
        ]


def _quantile(counts: Counter[int], share: float) -> int:
    """The duration (ms) that `share` of the requests did not exceed."""
    rank, seen = math.ceil(counts.total() * share), 0
    for step in sorted(counts):
        seen += counts[step]
        if seen >= rank:
            return math.ceil(STEP**step - 1e-6)
    return 0


@dataclass(slots=True)
class Sampler:
    """Makes the samples of one process. `take`: its pids (none: nothing is measured), and a monotonic clock in s."""

    instance: str
    kind: Literal["worker", "api"]
    pod: str
    host: str
    subject: str
    started: float
    latencies: Latencies = field(default_factory=Latencies)
    _at: float = field(init=False)
    _cpu: float = 0.0

    def __post_init__(self) -> None:
        self._at = self.started

    def take(self, pids: Iterable[int], monotonic: float, *, goodbye: bool = False) -> Sample:
        memory_mib, cpu = 0, 0.0
        found = list(pids)
        if found and (passed := monotonic - self._at) >= SOON_SECONDS:
            used = usage.usage(found)
            memory_mib, cpu = used.memory_bytes // usage.MIB, max(0.0, used.cpu_seconds - self._cpu) / passed
            self._cpu, self._at = used.cpu_seconds, monotonic
        requests: Sequence[Requests] = self.latencies.take()
        return Sample(
            self.instance,
            self.kind,
            self.pod,
            self.host,
            self.subject,
            age_ms=round((monotonic - self.started) * 1000),
            processors=usage.processors(),
            memory_mib=memory_mib,
            cpu=cpu,
            goodbye=goodbye,
            requests=requests,
        )
