"""Does a series of measurements grow? The median of all slopes (Theil and Sen): a few peaks do not move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

MOST_POINTS = 96


@dataclass(frozen=True, slots=True)
class Trend:
    """`base` is where it stood at first, `growth` what the slope makes of the whole span; both in the series' unit."""

    base: float
    slope: float
    growth: float


def trend(points: Sequence[tuple[float, float]]) -> Trend:
    """Of (time, value) pairs in order of time, two at least; `slope` is per unit of time."""
    few = _thinned(points)
    slopes = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(few) for x2, y2 in few[i + 1 :] if x2 > x1]
    slope = median(slopes) if slopes else 0.0
    return Trend(few[0][1], slope, slope * (few[-1][0] - few[0][0]))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS` groups of neighbours, each by its mean time and median value."""
    size = -(-len(points) // MOST_POINTS)
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [(mean(x for x, _ in group), median(y for _, y in group)) for group in groups]
