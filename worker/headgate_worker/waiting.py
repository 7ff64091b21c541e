"""Who waits for what, and whom to wake: no slot asks the store again without a reason."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from headgate_worker.cells import Word, WorkerWord
from headgate_worker.channel import Message
from headgate_worker.loop import Loop
from headgate_worker.slots import Slot, Slots

FULL_SECONDS = 1.0
"""How long to leave a store alone that is above maxmemory."""
POLL_SECONDS = 0.25
"""Only behind a proxy that knows no client tracking."""
KEYED = ("concurrency.perKey", "rate.perKey")
"""Refusals that a new arrival may get around: it can have another key."""


@dataclass(slots=True)
class Waiting:
    """`arm` tracks the queue and returns its length, None when the store is away. Times from the store are ms."""

    slots: Slots
    loop: Loop
    words: memoryview
    arm: Callable[[], int | None]
    tracks: Callable[[], bool]
    store_ms: Callable[[], float]
    refused: Counter[str] = field(default_factory=Counter)
    armed: bool = False
    _polling: bool = False
    _timer: float = 0.0

    def idle(self, slot: Slot, message: Message) -> None:
        """A slot has nothing to start and says why."""
        slot.waiting = message
        self._count()
        why = message.get("why")
        if why == "wait":
            self.refused[message["blocker"]] += 1
        if why == "empty":
            self._for_arrivals(slot, message["length"])
        elif _wants_arrivals(message):
            self._for_arrivals(slot, -1)
        if why == "wait" and message["blocker"] == "store.full":
            self._at(time.monotonic() + FULL_SECONDS)
        elif why == "wait" and message["open_at"]:
            self._at(self._monotonic(message["open_at"]))
        elif why == "quarantine":
            self._at(self._monotonic(message["until"]))

    def arrived(self) -> None:
        """The queue changed and the track is spent: wake as many as there is work for, and keep listening for the rest.

        A claim is a change too. So with several idle slots the length is asked first, or each job would wake two.
        """
        self.armed = False
        idle = [slot for slot in self._idle() if _wants_arrivals(slot.waiting)]
        length: int | None = 1
        if len(idle) > 1:
            length = self._listen()
        for slot in reversed(idle[-length:] if length else []):
            self.slots.tell(slot)
        self._count()

    def wake_one(self) -> None:
        """The slot that became idle last is woken: it is the warmest."""
        idle = self._idle()
        if idle:
            self.slots.tell(idle[-1])
            self._count()

    def wake_all(self) -> None:
        for slot in self.slots.alive():
            if slot.waiting is not None:
                self.slots.tell(slot)
        self._count()

    def _idle(self) -> list[Slot]:
        """Those that can start something: what is held for memory is woken by `MemoryHold` alone."""
        return [
            slot
            for slot in self.slots.alive()
            if slot.waiting is not None and not slot.leaving and not slot.cell.words[Word.HOLD]
        ]

    def _for_arrivals(self, slot: Slot, seen: int) -> None:
        """Track the queue; what came between the claim and the track is fetched at once."""
        if self.armed:
            return
        length = self._listen()
        if length and length != seen:
            self.slots.tell(slot)
            self._count()

    def _listen(self) -> int | None:
        length = self.arm()
        self.armed = length is not None
        if self.armed and not self.tracks() and not self._polling:
            self._polling = True
            self.loop.after(POLL_SECONDS, self._poll)
        return length

    def _poll(self) -> None:
        self._polling = False
        self.arrived()

    def _at(self, when: float) -> None:
        """One timer, for the earliest opening; the slot it wakes hands the baton on."""
        now = time.monotonic()
        if self._timer > now and self._timer <= when:
            return
        self._timer = when
        self.loop.after(max(0.0, when - now), lambda: self._ring(when))

    def _ring(self, when: float) -> None:
        if when == self._timer:
            self._timer = 0.0
            self.wake_one()

    def _monotonic(self, store_ms: float) -> float:
        return time.monotonic() + max(0.0, store_ms - self.store_ms()) / 1000 + 0.001

    def _count(self) -> None:
        self.words[WorkerWord.IDLE_SLOTS] = len(self._idle())


def _wants_arrivals(message: Message | None) -> bool:
    """Would a new job help this slot? Not while a gate of the whole queue is shut."""
    if message is None:
        return False
    return message.get("why") == "empty" or (message.get("why") == "wait" and message["blocker"] in KEYED)
