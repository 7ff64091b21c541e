"""Ends requests that take too long, as `asyncio.timeout` does, with one timer for all: a timer each costs 2 % of a
small request. A native cancellation also reaches an endpoint that waits for its thread; anyio's own does not."""

from __future__ import annotations

import asyncio

TICK_SECONDS = 0.25


class Deadline:
    """One request's. `expired` as soon as its task was cancelled for it."""

    __slots__ = ("due", "expired", "task")

    def __init__(self, task: asyncio.Task[object] | None, due: int) -> None:
        self.task, self.due = task, due
        self.expired = False

    def expire(self) -> None:
        self.expired = True
        if self.task is not None:
            self.task.cancel()

    def mine(self) -> bool:
        """Take the cancellation back; False when somebody else cancelled the task too, who must see it."""
        return self.expired and self.task is not None and self.task.uncancel() == 0


class Deadlines:
    """Those of one event loop, counted in ticks. A request ends at most two of them after its time, never before."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tick = 0

    def start(self, seconds: float) -> Deadline:
        """For the current task, which must `end` it."""
        deadline = Deadline(asyncio.current_task(), self._tick + int(seconds / TICK_SECONDS) + 1)
        self._running.add(deadline)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TICK_SECONDS, self._sweep, loop)
        return deadline

    def end(self, deadline: Deadline) -> None:
        self._running.discard(deadline)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._tick += 1
        for deadline in [one for one in self._running if one.due <= self._tick]:
            self._running.discard(deadline)
            deadline.expire()
        self._timer = loop.call_later(TICK_SECONDS, self._sweep, loop) if self._running else None
