"""Refusals that are still in force: asking the store again could only bring the same answer, so nobody asks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from headgate.gates.http import Denied, HttpGate

CACHED = 10_000
SHORTEST_MS = 200
REFUNDABLE_MS = 1_000
"""A Failures rule may open before its time: a request under way succeeds, or an operator lifts a ban."""

Asked = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Denial:
    """`answer` as it was given at `at`; in force until `until`. Both in seconds of the event loop's clock."""

    answer: Denied
    at: float
    until: float


class Denials:
    """By all the rules a request asked for with their identities, of one revision of a policy.

    Not by the rule that refused alone: the time is that of the rule that refuses longest.
    """

    def __init__(self, size: int = CACHED) -> None:
        self._size = size
        self._kept: OrderedDict[Asked, Denial] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, asked: Asked, answer: Denied, now: float, *, refundable: bool) -> None:
        """Only refusals by time: a place may come free at any moment. `refundable`: a rule counts failures."""
        if answer.gate not in (HttpGate.RATE, HttpGate.BAN) or answer.retry_ms < SHORTEST_MS:
            return
        ms = min(answer.retry_ms, REFUNDABLE_MS) if refundable else answer.retry_ms
        self._kept[asked] = Denial(answer, now, now + ms / 1000)
        self._kept.move_to_end(asked)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def find(self, asked: Asked, now: float) -> Denial | None:
        """The refusal that is in force."""
        denial = self._kept.get(asked)
        if denial is None or denial.until > now:
            return denial
        del self._kept[asked]
        return None
