"""Ends requests that take too long, as `asyncio.timeout` does, with one timer for all: a timer each costs 2 % of a
small request. A native cancellation also reaches an endpoint that waits for its thread; anyio's own does not."""

from __future__ import annotations

import asyncio

TICK_SECONDS = 0.25


class Timed:
    """What has a deadline. `expired` as soon as its task was cancelled for it."""

    __slots__ = ("_taken", "_task", "due", "expired")

    def __init__(self) -> None:
        self.expired = self._taken = False

    def begin(self, task: asyncio.Task[object] | None, due: int) -> None:
        self._task, self.due = task, due

    def expire(self) -> None:
        self.expired = True
        if self._task is not None:
            self._task.cancel()

    def mine(self) -> bool:
        """Take the cancellation back, once; False when somebody else cancelled the task too, who must see it."""
        if self.expired and not self._taken and self._task is not None:
            self._taken = True
            return self._task.uncancel() == 0
        return self._taken


class Deadlines:
    """Those of one event loop, counted in ticks. A request ends at most two of them after its time, never before."""

    def __init__(self) -> None:
        self._running: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tick = 0

    def start(self, timed: Timed, seconds: float) -> None:
        """For the current task, which must `end` it."""
        timed.begin(asyncio.current_task(), self._tick + int(seconds / TICK_SECONDS) + 1)
        self._running.add(timed)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TICK_SECONDS, self._sweep, loop)

    def end(self, timed: Timed) -> None:
        self._running.discard(timed)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._tick += 1
        for timed in [one for one in self._running if one.due <= self._tick]:
            self._running.discard(timed)
            timed.expire()
        self._timer = loop.call_later(TICK_SECONDS, self._sweep, loop) if self._running else None
