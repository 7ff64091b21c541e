"""Throttled: what holds a queue back, told once and not at every breath.

It is said as soon as something is held back. It is taken back, or another reason is given, only after 60 s: a queue at
its limit is refused and served many times a second, and status is no place for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from headgate.gates.verbs import Blocker
from headgate.status import reasons
from headgate.status.conditions import Verdict
from headgate.status.reasons import Reason

HYSTERESIS_SECONDS = 60.0
BY_BLOCKER: dict[str, Reason] = {
    Blocker.STOP: reasons.HELD_BACK,
    Blocker.CONCURRENCY_TOTAL: reasons.CONCURRENCY_TOTAL,
    Blocker.RATE_TOTAL: reasons.RATE_TOTAL,
    Blocker.BUDGET: reasons.BUDGET,
    Blocker.CONCURRENCY_PER_KEY: reasons.PER_KEY,
    Blocker.RATE_PER_KEY: reasons.PER_KEY,
    Blocker.RATE_PER_WORKER: reasons.WORKER_RATE,
    Blocker.DEFERRED: reasons.DEFERRED,
    Blocker.MEMORY: reasons.MEMORY,
}
BY_REASON: dict[str, str] = {
    reasons.HELD_BACK.name: Blocker.STOP,
    reasons.DEFERRED.name: Blocker.DEFERRED,
    reasons.MEMORY.name: Blocker.MEMORY,
}
"""What holds back here is no gate, so the message names none."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What was said, since when, and when it was last true (monotonic seconds). Empty `blocker`: nothing is held."""

    blocker: str = ""
    said_at: float = float("-inf")
    true_at: float = float("-inf")

    @property
    def settled_at(self) -> float:
        """When it may be taken back if nothing is held back from now on."""
        return self.true_at + HYSTERESIS_SECONDS


def noticed(memory: Memory, blocked_by: str, now: float) -> Memory:
    """One look at the store: `blocked_by` is the gate that refuses now, or empty."""
    if _reason(blocked_by) is None:
        return Memory() if memory.blocker == Blocker.STOP or now >= memory.settled_at else memory
    if not memory.blocker or (blocked_by != memory.blocker and now - memory.said_at >= HYSTERESIS_SECONDS):
        return Memory(blocked_by, now, now)
    if blocked_by == memory.blocker or Blocker.STOP in (blocked_by, memory.blocker):
        # a person turned the queue off or on: that is said at once
        said_at = memory.said_at if blocked_by == memory.blocker else now
        return Memory(blocked_by, said_at, now)
    return replace(memory, true_at=now)


def remembered(condition: Mapping[str, Any] | None, now: float) -> Memory:
    """After a restart: what the object's Throttled condition says, as if it were true now."""
    said = condition or {}
    blocker = BY_REASON.get(said.get("reason", "")) or said.get("message", "").partition(" ")[0]
    return Memory(blocker, now, now) if _reason(blocker) else Memory()


def verdict(memory: Memory) -> Verdict:
    """Its message begins with the gate, which `remembered` reads, or is the reason's own."""
    reason = _reason(memory.blocker)
    if reason is None:
        return Verdict(reasons.FREE)
    if reason.name in BY_REASON:
        return Verdict(reason)
    why = ": all that wait belong to keys that are at their limit" if reason is reasons.PER_KEY else ""
    return Verdict(reason, f"{memory.blocker} holds jobs back{why}.")


def _reason(blocker: str) -> Reason | None:
    return BY_BLOCKER.get(Blocker.BUDGET if blocker.startswith("budget/") else blocker)
