"""Rates: starts against `limit` in every window of one period, wherever the window begins.

No buckets: with times sorted, some window of length P holds more than `limit` starts exactly when two starts that are
`limit` apart in the list are less than P apart in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crowded:
    """`limit` + 1 starts within `span_ns`, which is shorter than the period by `short_ns`."""

    first: int
    last: int
    span_ns: int
    short_ns: int


def crowded(times: Sequence[int], limit: int, period_ns: int) -> list[Crowded]:
    """Every pair of starts that proves a window with more than `limit` starts. Empty: the rate held everywhere."""
    ordered = sorted(times)
    pairs = zip(ordered, ordered[limit:], strict=False)
    return [
        Crowded(first, last, last - first, period_ns - (last - first))
        for first, last in pairs
        if last - first < period_ns
    ]


def busiest(times: Sequence[int], period_ns: int) -> int:
    """The most starts that any window of this length holds (half open: [t, t + period))."""
    ordered = sorted(times)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= period_ns:
            first += 1
        most = max(most, last - first + 1)
    return most


def utilisation(times: Sequence[int], limit: int, period_ns: int) -> float:
    """Starts over what the limit allowed, in the whole periods that begin with the first start. 1.0 is all of it.

    Needs an input that was never empty, and more than one period of it: otherwise there is nothing to compare with.
    """
    ordered = sorted(times)
    if not ordered:
        raise ValueError("no start at all")
    periods = (ordered[-1] - ordered[0]) // period_ns
    if periods < 1:
        raise ValueError(f"the starts span less than one period of {period_ns} ns")
    end = ordered[0] + periods * period_ns
    return sum(moment < end for moment in ordered) / (limit * periods)
