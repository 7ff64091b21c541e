"""A budget: a gate that several queues share. Its places go to whoever waits longest, across queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.gates.model.leases import Leases
from headgate.gates.model.rates import Ring
from headgate.gates.verbs import WAKE_MS
from headgate.model.documents import BudgetDocument

LOOKS = 8
FOREVER = 10**15


@dataclass(frozen=True, order=True, slots=True)
class Waiter:
    """An instance that waits with `weight` places to take for a queue; as a string as the store names it."""

    instance: str
    queue: str
    weight: int

    def __str__(self) -> str:
        return f"{self.instance} {self.queue} {self.weight}"


def places_of(execution: str, weight: int) -> list[str]:
    """The members of one job's execution in the budget's holder set: one a place."""
    return [f"e:{execution}"] if weight == 1 else [f"e:{execution}#{k}" for k in range(1, weight + 1)]


def reserved_places(waiter: Waiter) -> list[str]:
    return [f"wake:{waiter.instance}:{waiter.queue}#{k}" for k in range(1, waiter.weight + 1)]


@dataclass(slots=True)
class Budget:
    """`http` holds the HTTP holders again, counted only against `httpReserved`.

    `waiting` and `promised`: until when (ms) somebody may be waiting for a place, or for an opening of the rate.
    """

    document: BudgetDocument
    revision: int
    held: Leases = field(default_factory=Leases)
    http: Leases = field(default_factory=Leases)
    starts: Ring = field(default_factory=Ring)
    wait: dict[Waiter, int] = field(default_factory=dict)
    rate_wait: dict[Waiter, int] = field(default_factory=dict)
    waiting: int = 0
    promised: int = 0
    sleep: int = 0

    def used(self, now: int) -> int:
        """Places taken or reserved; 0 for a budget without concurrency."""
        return self.held.live(now) if self.document.total else 0

    def free(self, now: int) -> float:
        """Places that jobs may take: `httpReserved` less the HTTP holders stays out of their reach."""
        if not self.document.total:
            return float("inf")
        reserved = max(0, self.document.http_reserved - self.http.live(now))
        return self.document.total - reserved - self.held.live(now)

    def carries(self, waiter: Waiter, now: int) -> bool:
        """Freed places were kept for this waiter, as many as it needs now."""
        return self.held.is_live(reserved_places(waiter)[-1], now)

    def ahead(self, waiter: Waiter, now: int) -> list[Waiter]:
        """Those who were promised an opening before `waiter`; whoever is 500 ms late is forgotten."""
        for who, at in list(self.rate_wait.items()):
            if at <= now - WAKE_MS:
                del self.rate_wait[who]
        mine = self.rate_wait.get(waiter)
        return [who for who, at in self.rate_wait.items() if mine is None or at < mine]

    def leave(self, waiter: Waiter, *, carried: bool) -> None:
        """Its job started: it waits no more, and the reservation that it came with is used up."""
        for place in reserved_places(waiter) if carried else ():
            self.held.drop(place)
        self.wait.pop(waiter, None)
        self.rate_wait.pop(waiter, None)

    def drop_lapsed(self, now: int) -> None:
        """What lapsed counts nowhere: reservations that were not used, places of an earlier policy's lost jobs."""
        for leases in (self.held, self.http):
            for holder in leases.lapsed(now):
                leases.drop(holder)

    def first_waiter(self) -> Waiter | None:
        return min(self.wait, key=lambda who: (self.wait[who], str(who)), default=None)

    def hand_over(
        self, now: int, alive: Callable[[str], bool], wake: Callable[[str, str], None], me: Waiter | None = None
    ) -> bool:
        """Give what is free to those who wait, oldest first: each is woken and its places kept for 500 ms.

        Stops at `me`. True: somebody who came before `me` still waits.
        """
        for _ in range(LOOKS):
            head = self.first_waiter()
            if head is None:
                self.waiting = now + WAKE_MS
                return False
            if head == me:
                return False
            if alive(head.instance):
                if self.free(now) < head.weight:
                    return True
                for place in reserved_places(head):
                    self.held.take(place, now + WAKE_MS)
                wake(head.instance, head.queue)
            del self.wait[head]
        return True
