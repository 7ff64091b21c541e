"""Starts of one identity under one rule: in no window of one period more than `limit`. Times are microseconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from headgate.gates.model.rates import BUCKETS, EXACT_KEYED_LIMIT, FUTURE_US
from headgate.model.documents import HttpRule


class Form(Enum):
    """How starts are kept: each for itself (as a string or, when there may be very many, a list), or in buckets."""

    LOG = "log"
    RING = "ring"
    BUCKETS = "buckets"


def form_of(rule: HttpRule) -> Form:
    """Follows from the limit: buckets are for many identities with a high limit."""
    if rule.count == "Failures" or rule.rate is None or rule.rate.limit <= EXACT_KEYED_LIMIT:
        return Form.LOG
    return Form.RING if rule.key == "Global" else Form.BUCKETS


@dataclass(frozen=True, slots=True)
class Start:
    """`count` starts at `at`. `confirmed`: a failure that was reported."""

    at: int
    count: int
    confirmed: bool = False


def span(us: int, stamp: int, period: int) -> int:
    """How long what was recorded at `stamp` is kept (ms), counted from the millisecond that began."""
    return -(-(stamp - us + period) // 1000) + 1


@dataclass(slots=True)
class Starts:
    """Newest first. `expires` (ms) follows from the last record."""

    entries: list[Start] = field(default_factory=list)
    expires: int = 0
    form: Form = Form.LOG

    def expire(self, now: int) -> None:
        if self.expires <= now:
            self.entries = []

    def counting(self, us: int, period: int) -> list[Start]:
        """Not older than a period, and not from a clock that was set back by more than 30 s."""
        return [start for start in self.entries if us - period < start.at <= us + FUTURE_US]

    def opens(self, us: int, limit: int, period: int, cost: int) -> int | None:
        """When `cost` more starts fit into every window; None is now, 0 when they never fit."""
        if cost > limit:
            return 0
        newer = 0
        for start in self.counting(us, period):
            newer += start.count
            if newer > limit - cost:
                return start.at + period
        return None

    def cross(self, us: int, period: int, form: Form) -> None:
        """The rule was edited and keeps its starts in another form."""
        if form is self.form:
            return
        self.entries, self.form = self.counting(us, period), form
        if self.entries:
            self.expires = us // 1000 + span(us, self.entries[0].at, period)

    def record(self, us: int, stamp: int, period: int, cost: int) -> None:
        self.entries = self.counting(us, period)
        self.expires = us // 1000 + span(us, stamp, period)
        newest = self.entries[0] if self.entries else None
        if self.form is Form.BUCKETS and newest and _bucket(newest.at, period) == _bucket(stamp, period):
            self.entries[0] = Start(stamp, newest.count + cost)
        else:
            self.entries.insert(0, Start(stamp, cost))

    def reserved(self, stamp: int) -> Start | None:
        """The start of that name, unless it was confirmed or is gone."""
        return next((start for start in self.entries if start.at == stamp and not start.confirmed), None)

    def forget(self, start: Start) -> None:
        self.entries.remove(start)

    def confirm(self, start: Start) -> None:
        self.entries[self.entries.index(start)] = replace(start, confirmed=True)

    def confirmed(self, us: int, period: int) -> int:
        return sum(start.count for start in self.counting(us, period) if start.confirmed)


def _bucket(at: int, period: int) -> int:
    return int(at // (period / BUCKETS))
