"""Concurrency: how many runs there were at once, against the number that was allowed at each moment."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.recorder.runs import Run


@dataclass(frozen=True)
class Limit:
    """N(t): `steps` are (from ns, n) in time order, the first holds from the beginning.

    `settle_ns` after a step both numbers are right, whichever is larger: a start is on record a moment after it was
    granted, and the change a moment before or after it was in force.
    """

    steps: tuple[tuple[int, int], ...]
    settle_ns: int = 0

    @classmethod
    def always(cls, n: int) -> Limit:
        return cls(((0, n),))

    def at(self, moment: int) -> int:
        times = [start for start, _ in self.steps]
        newest = max(0, bisect_right(times, moment) - 1)
        oldest = max(0, bisect_right(times, moment - self.settle_ns) - 1)
        return max(n for _, n in self.steps[oldest : newest + 1])


@dataclass(frozen=True, slots=True)
class Above:
    """A start that should not have been: with it `running` ran of which only `allowed` may."""

    run: Run
    running: int
    allowed: int


def at_once(history: Iterable[Run]) -> list[tuple[Run, int]]:
    """Each run with the number of runs (itself included) at the instant it started. Touching runs do not overlap."""
    ends: list[int] = []
    counted = []
    for run in sorted(history, key=lambda run: run.started):
        while ends and ends[0] <= run.started:
            heapq.heappop(ends)
        heapq.heappush(ends, run.ended)
        counted.append((run, len(ends)))
    return counted


def peak(history: Iterable[Run]) -> int:
    """The largest number of runs at one instant."""
    return max((running for _, running in at_once(history)), default=0)


def above(history: Iterable[Run], limit: Limit | int) -> list[Above]:
    """Every start that broke the limit. Lowering a limit kills nothing, so only starts can break it."""
    bound = Limit.always(limit) if isinstance(limit, int) else limit
    return [
        Above(run, running, bound.at(run.started))
        for run, running in at_once(history)
        if running > bound.at(run.started)
    ]


def by(history: Iterable[Run], name: Callable[[Run], str]) -> dict[str, list[Run]]:
    """The runs of each queue, key or whatever `name` says; runs without such a name are left out."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in history:
        if name(run):
            groups[name(run)].append(run)
    return dict(groups)
