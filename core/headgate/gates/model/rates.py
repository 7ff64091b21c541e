"""Rate gates: in no window of one period more than `limit` starts. All times are microseconds of the store's clock.

An exact ring up to 256 starts a key and 10,000 a queue or budget; above 256 a key, 128 buckets counted conservatively.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from headgate.gates.verbs import WAKE_MS

FUTURE_US = 30_000_000
"""A start further ahead than this was recorded before the clock was set back: the quarantine stands for it.

A step back is noticed when it goes a lease behind the last beat, and a start is at most two beats ahead of that.
"""
BUCKETS = 128
EXACT_KEYED_LIMIT = 256
LONGEST_PERIOD_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` starts in any window of `period` microseconds."""

    limit: int
    period: int


class Ring:
    """Every start that a legal window can reach, newest first. `forgotten_at`: when the store drops it, 0 for never."""

    __slots__ = ("forgotten_at", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.forgotten_at = 0

    def opens(self, us: int, full_at: int, limit: int, period: int, n: int = 1) -> int:
        """When `n` more starts fit into every window of `period`; 0 is now. `full_at`: the gate counts as full then.

        More than `limit` of them: as many periods later as it takes.
        """
        later, rest = divmod(n - 1, limit)
        index = limit - 1 - rest
        oldest = self.starts[index] if index < len(self.starts) else 0
        if oldest > us + FUTURE_US:
            oldest = 0
        at = max(oldest, full_at) + period
        if later:
            return max(at, us) + later * period
        return at if at > us else 0

    def opens_after(self, us: int, full_at: int, rate: Rate, n: int, ahead: int) -> int:
        """The same after `ahead` starts that are promised to others.

        Whoever does not come is forgotten after 500 ms: look again then.
        """
        at = self.opens(us, full_at, rate.limit, rate.period, n)
        after = self.opens(us, full_at, rate.limit, rate.period, n + ahead)
        return us + WAKE_MS * 1000 if after and not at else after

    def record(self, us: int, n: int = 1) -> None:
        self.starts[:0] = [us] * n
        while self.starts and self.starts[-1] < us - LONGEST_PERIOD_US:
            self.starts.pop()

    def forget_if_due(self, us: int) -> None:
        if self.forgotten_at and us >= self.forgotten_at:
            self.starts.clear()
            self.forgotten_at = 0

    def within(self, us: int, period: int, limit: int) -> int:
        """Starts that the window which ends now holds, at most `limit`."""
        return min(limit, sum(us - period < start <= us + FUTURE_US for start in self.starts))


class Buckets:
    """Starts counted in buckets of period/128: never above the limit, opens at most period/128 late."""

    __slots__ = ("counts", "forgotten_at", "width")

    def __init__(self) -> None:
        self.width = 0.0
        self.counts: dict[int, int] = {}
        self.forgotten_at = 0.0

    def opens(self, us: int, full_at: int, limit: int, period: int) -> int:
        """When one more start fits; 0 is now."""
        at = full_at + period if full_at else 0
        width = period / BUCKETS
        if self.counts and self.width != width:  # another period: full up to the last start it knows
            at = max(at, math.ceil((max(self.counts) + 1) * self.width + period))
        elif self.counts:
            at = max(at, self._full_until(self._bucket(us, width), limit, width))
        return at if at > us else 0

    def _bucket(self, us: int, width: float) -> int:
        """Never before the newest start, unless that is from another clock."""
        newest = max(self.counts, default=0)
        return max(math.floor(us / width), newest if newest * width <= us + FUTURE_US else 0)

    def _full_until(self, bucket: int, limit: int, width: float) -> int:
        starts = 0
        for index in sorted(self.counts, reverse=True):
            if not bucket - BUCKETS <= index <= bucket:
                continue
            starts += self.counts[index]
            if starts >= limit:
                return math.ceil((index + BUCKETS + 1) * width)
        return 0

    def record(self, us: int, period: int) -> None:
        width = period / BUCKETS
        if self.width != width:
            self.counts, self.width = {}, width
        bucket = self._bucket(us, width)
        kept = self.counts.items()
        self.counts = {index: n for index, n in kept if bucket - BUCKETS <= index <= bucket}
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.forgotten_at = us // 1000 * 1000 + math.ceil((period + width) / 1000) * 1000

    def forget_if_due(self, us: int) -> None:
        if self.forgotten_at and us >= self.forgotten_at:
            self.counts, self.forgotten_at = {}, 0.0
