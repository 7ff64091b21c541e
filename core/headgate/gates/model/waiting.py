"""Who is told that a place is free. A wake is only a hint: the woken instance claims like any other."""

from __future__ import annotations

from headgate.gates.model.state import Store

LOOKS = 8
"""At most so many dead waiters are skipped in one call."""


def by_time(waiting: dict[str, int]) -> list[str]:
    """First come first, then by name."""
    return [who for _, who in sorted((at, who) for who, at in waiting.items())]


def wake_one(store: Store, queue: str) -> None:
    """A place of this queue is free: wake the first instance that waits for one and still lives."""
    wait = store.gates(queue).wait
    for who in by_time(wait)[:LOOKS]:
        del wait[who]
        if store.is_alive(who):
            store.wake(who, queue)
            return


def wake_all(store: Store, queue: str) -> None:
    """The limits changed: everybody who waits for this queue looks again."""
    gates = store.gates(queue)
    for waiting in (gates.wait, gates.rate_wait):
        for who in by_time(waiting):
            store.wake(who, queue)
        waiting.clear()
