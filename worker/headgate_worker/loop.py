"""The supervisor's single thread: readable files, timers, and the signals that were noted."""

from __future__ import annotations

import heapq
import itertools
import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

LONGEST_TURN = 1.0
"""Seconds without any event after which the loop turns all the same; `turned_at` is the worker's own heartbeat."""


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Loop:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.turned_at = time.monotonic()

    def watch(self, file: HasFileno | int, ready: Callable[[], None]) -> None:
        self._selector.register(file, selectors.EVENT_READ, ready)

    def forget(self, file: HasFileno | int) -> None:
        """Before the file is closed, or by its number after. Nothing when it is not watched."""
        try:
            self._selector.unregister(file)
        except (KeyError, ValueError):
            return

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), call))

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """First at once, then again that long after each end."""

        def again() -> None:
            call()
            self.after(seconds, again)

        self.after(0, again)

    def turn(self) -> None:
        """Wait for something, and do what is due. Timers first: after a freeze the leases come before the backlog."""
        wait = LONGEST_TURN
        if self._timers:
            wait = max(0.0, min(wait, self._timers[0][0] - time.monotonic()))
        events = self._selector.select(wait)
        self.turned_at = now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        for key, _mask in events:
            if key.fd in self._selector.get_map():
                key.data()


class Signals:
    """Handlers only note; `taken` is read by the loop. A signal wakes the loop through a socket."""

    def __init__(self, loop: Loop) -> None:
        self.terminated = 0
        self.interrupted = 0
        self.child_ended = False
        self._reader, writer = socket.socketpair()
        for end in (self._reader, writer):
            end.setblocking(False)
        self._writer = writer
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGCHLD, self._note)
        loop.watch(self._reader, self._drain)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        if signum == signal.SIGTERM:
            self.terminated += 1
        elif signum == signal.SIGINT:
            self.interrupted += 1
        else:
            self.child_ended = True

    def _drain(self) -> None:
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            return
