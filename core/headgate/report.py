"""The story's five success metrics, judged by what the system recorded: each with its verdict and the evidence.

Pure: what was read from the store goes in, sentences come out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.samples import SILENT_MS, Process, Samples
from headgate.refusals import Refusals, refusals
from headgate.trend import Trend, trend

WARM_UP_MINUTES = 10
"""A process that has just started grows: its first minutes say nothing about a leak."""
TREND_MINUTES = 60
"""Less than this shows no trend."""
GROWTH_SHARE, GROWTH_MIB = 0.1, 32
"""Memory is stable while it grows by no more than the larger of a tenth and 32 MiB over all that was seen."""
CPU_SHARE = 0.7
CPU_MINUTES = 5
SKIPS_IN_A_ROW = 3
"""So many ticks skipped, none run: the task skips every cycle."""
SLOW_MS = 1_000
RESPONSIVE_SHARE = 0.95
"""An admin page is responsive when 99 of 100 requests take at most a second, in 95 of 100 minutes."""
MOST_NAMED = 5


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    NO_DATA = "NO DATA"


@dataclass(frozen=True, slots=True)
class Metric:
    """`evidence`: sentences, the worst first."""

    name: str
    verdict: Verdict
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`since` and `until`: of the store's clock (ms)."""

    since: int
    until: int
    metrics: tuple[Metric, ...]
    refusals: tuple[Refusals, ...]

    @property
    def failed(self) -> bool:
        return any(metric.verdict is Verdict.FAIL for metric in self.metrics)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def report(
    since: int, samples: Samples, tasks: Mapping[str, TaskState], surfaces: Mapping[str, SurfaceState]
) -> Report:
    processes = samples.processes
    metrics = (
        _crashes(processes, samples.now),
        _memory(processes),
        _cpu(processes),
        _skips(tasks),
        _admin(processes),
    )
    return Report(since, samples.now, metrics, tuple(refusals(surfaces)))


def _judged(name: str, bad: Sequence[str], good: Sequence[str], nothing: str) -> Metric:
    """FAIL by the bad ones, PASS by the good ones, else NO DATA because of `nothing`."""
    if bad:
        return Metric(name, Verdict.FAIL, _few(bad))
    return Metric(name, Verdict.PASS, _few(good)) if good else Metric(name, Verdict.NO_DATA, (nothing,))


def _few(sentences: Sequence[str]) -> tuple[str, ...]:
    more = len(sentences) - MOST_NAMED
    return (*sentences[:MOST_NAMED], *([f"and {more} more"] if more > 0 else []))


def _name(process: Process) -> str:
    return f"{process.kind} {process.instance} ({process.subject})"


def crashed(process: Process, now: int) -> bool:
    """It has fallen silent and never said that it would."""
    return not process.ended and not process.beats and now - process.last > SILENT_MS


def _crashes(processes: Sequence[Process], now: int) -> Metric:
    fallen = sorted((each for each in processes if crashed(each, now)), key=lambda each: -each.last)
    bad = [
        f"{_name(each)} ended without a goodbye, {_span(now - each.last)} ago, after {_span(each.last - each.started)}"
        for each in fallen
    ]
    living = sum(not each.ended for each in processes) - len(fallen)
    left = sum(bool(each.ended) for each in processes)
    good = [f"{living} processes alive, {left} ended with a goodbye, none without"] if processes else []
    return _judged("no crashes or restarts", bad, good, "no process has said anything: is a worker running?")


def _memory(processes: Iterable[Process]) -> Metric:
    found = [(each, seen) for each in processes if (seen := memory_trend(each)) is not None]
    found.sort(key=lambda pair: -pair[1].growth)
    words: Callable[[Process, Trend], str] = lambda each, seen: (  # noqa: E731
        f"{_name(each)}: {seen.base:.0f} MiB, {seen.slope * 60:+.1f} MiB an hour, {seen.growth:+.0f} MiB in all"
    )
    bad = [words(*pair) for pair in found if pair[1].growth > max(GROWTH_MIB, GROWTH_SHARE * pair[1].base)]
    nothing = f"no process has run for {TREND_MINUTES + WARM_UP_MINUTES} minutes"
    return _judged("memory stable", bad, [words(*pair) for pair in found], nothing)


def memory_trend(process: Process) -> Trend | None:
    """MiB by minutes, warm-up left out; None when there is too little of it."""
    warm = process.started // 60_000 + WARM_UP_MINUTES
    points = [(float(use.minute), float(use.memory_mib)) for use in process.uses if use.minute >= warm]
    if len(points) < TREND_MINUTES // 2 or points[-1][0] - points[0][0] < TREND_MINUTES:
        return None
    return trend(points)


def _cpu(processes: Iterable[Process]) -> Metric:
    hosts = defaultdict(list)
    for each in processes:
        hosts[each.host].append(each)
    shares = {name: share for name, found in hosts.items() if (share := cpu_shares(found)) is not None}
    worst = sorted(shares.items(), key=lambda pair: -pair[1][0])
    words = {
        name: f"{name}: {share:.0%} on average, {peak:.0%} in the busiest minute, of "
        f"{max(each.processors for each in hosts[name]):g} processors"
        for name, (share, peak) in worst
    }
    bad = [words[name] for name, (share, _) in worst if share >= CPU_SHARE]
    nothing = f"no host has been measured for {CPU_MINUTES} minutes"
    return _judged("CPU under 70 % on average", bad, list(words.values()), nothing)


def cpu_shares(processes: Sequence[Process]) -> tuple[float, float] | None:
    """Of what one host may use: the average, and the busiest minute. None: measured too briefly."""
    minutes: dict[int, float] = defaultdict(float)
    for each in processes:
        for use in each.uses:
            minutes[use.minute] += use.cpu
    if len(minutes) < CPU_MINUTES:
        return None
    may = max(each.processors for each in processes)
    return sum(minutes.values()) / len(minutes) / may, max(minutes.values()) / may


def _skips(tasks: Mapping[str, TaskState]) -> Metric:
    known = {name: state for name, state in sorted(tasks.items()) if state.last_started or state.skipped}
    bad = [
        f"{name}: {state.skips_in_a_row} ticks skipped in a row, none ran between: let it run less often, or be quicker"
        for name, state in known.items()
        if state.skips_in_a_row >= SKIPS_IN_A_ROW
    ]
    good = [f"{name}: {state.skipped} ticks skipped since it was published" for name, state in known.items()]
    return _judged("no task that skips every cycle", bad, good, "no periodic task has run")


def _admin(processes: Iterable[Process]) -> Metric:
    found: dict[str, dict[int, tuple[int, int, int]]] = defaultdict(dict)
    for each in processes:
        for series, minutes in each.requests.items():
            for minute, seen in minutes:
                count, p50, p99 = found[series].get(minute, (0, 0, 0))
                found[series][minute] = (count + seen.count, max(p50, seen.p50_ms), max(p99, seen.p99_ms))
    bad: list[str] = []
    good: list[str] = []
    for series, slots in sorted(found.items()):
        quick = sum(p99 <= SLOW_MS for _, _, p99 in slots.values()) / len(slots)
        sentence = (
            f"{series}: {sum(count for count, _, _ in slots.values())} requests, "
            f"p50 {median(p50 for _, p50, _ in slots.values()):.0f} ms, p99 at most {SLOW_MS} ms in {quick:.0%} of "
            f"{len(slots)} minutes, worst {max(p99 for _, _, p99 in slots.values())} ms"
        )
        (good if quick >= RESPONSIVE_SHARE else bad).append(sentence)
    return _judged("admin panel responsive", bad, good, "no request of an admin page was measured")


def _span(milliseconds: int) -> str:
    minutes = round(milliseconds / 60_000)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
