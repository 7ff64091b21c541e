"""The end of a worker: claim nothing more, let run what runs, hand back what is not done in time, exit 0."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from headgate_worker import logs
from headgate_worker.cells import WorkerWord
from headgate_worker.loop import Loop, Signals
from headgate_worker.slots import Slots

LAST_SECONDS = 5.0
"""How long a drained worker waits for the store to take what was handed back; then leases lapse instead."""


@dataclass(slots=True)
class Drain:
    """SIGTERM begins it, a second changes nothing; SIGINT begins it, a second one ends it now."""

    slots: Slots
    loop: Loop
    signals: Signals
    words: memoryview
    seconds: int
    began: Callable[[], None]
    settled: Callable[[], bool]
    until: float | None = None
    _emptied_at: float = 0.0

    def look(self) -> None:
        """Called every turn of the loop: what the handlers noted."""
        if self.until is None and (self.signals.terminated or self.signals.interrupted):
            self.begin()
        if self.until is not None and self.signals.interrupted > 1:
            self.until = min(self.until, time.monotonic())
        if self.until is not None and time.monotonic() >= self.until:
            self._hand_back()

    def begin(self) -> None:
        if self.until is not None:
            return
        busy = len(self.slots.busy())
        logs.get().info("draining: nothing new starts", running=busy, seconds=self.seconds)
        self.until = time.monotonic() + self.seconds
        self.words[WorkerWord.DRAINING] = 1
        self.slots.closing = True
        self.slots.resize(0)
        self.began()
        self.loop.after(self.seconds, lambda: None)

    @property
    def done(self) -> bool:
        """All slots are gone and the store knows what was handed back, or does not answer."""
        if self.until is None or len(self.slots):
            return False
        self._emptied_at = self._emptied_at or time.monotonic()
        return self.settled() or time.monotonic() - self._emptied_at > LAST_SECONDS

    def _hand_back(self) -> None:
        for slot in self.slots:
            if slot.pid and slot.kill is None:
                held = slot.held()
                if held is not None:
                    logs.get().warning("handing a job back unfinished", slot=slot.name, id=held.job_id)
                self.slots.kill(slot, "drain", "")
