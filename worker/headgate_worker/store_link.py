"""The supervisor's door to the store: up or down, and what waits until it is up again.

After every break the worker renews its leases before it does anything else; then what was put off runs, in order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from headgate.errors import StoreUnavailable
from headgate.gates import client
from headgate.gates.door import Door
from headgate_worker import logs
from headgate_worker.loop import Loop
from headgate_worker.settings import Settings, current_store_url

STEADY_SECONDS = 10.0
"""A break sooner than this after the last one waits longer, not as short as the first."""


class StoreLink:
    """`renew` is the first call after a break. `do` runs a call now, or when the store is back."""

    def __init__(self, settings: Settings, loop: Loop) -> None:
        self._settings = settings
        self._loop = loop
        self._url = current_store_url(settings)
        self._waits: Iterator[float] = client.backoff()
        self._flushing = False
        self._back_at = 0.0
        self._put_off: deque[Callable[[], None]] = deque()
        self.door = Door(self._url, settings.prefix)
        self.up = True
        self.errors = 0
        self.renew: Callable[[], None] = lambda: None
        self.came_back: Callable[[], None] = lambda: None

    def do(self, call: Callable[[], None]) -> None:
        """Run an idempotent call; when the store is down it waits in line."""
        self._put_off.append(call)
        if self.up:
            self._flush()

    @property
    def settled(self) -> bool:
        return not self._put_off

    def attempt(self, call: Callable[[], None]) -> bool:
        """Run a call that may be skipped while the store is down. Whether it ran."""
        if not self.up:
            return False
        try:
            call()
        except StoreUnavailable as error:
            self.lost(error)
            return False
        return True

    def lost(self, error: Exception) -> None:
        """Note a break (once) and begin to try again."""
        self.errors += 1
        if not self.up:
            return
        self.up = False
        if time.monotonic() - self._back_at > STEADY_SECONDS:
            self._waits = client.backoff()
        self._again(error)

    def refresh(self) -> None:
        """A new door when the URL in the mounted Secret has changed."""
        url = current_store_url(self._settings)
        if url != self._url:
            self.door.close()
            self.door = Door(url, self._settings.prefix)
            self._url = url

    def _again(self, error: Exception) -> None:
        wait = next(self._waits)
        logs.get().warning("the store cannot be reached, trying again", error=str(error), seconds=round(wait, 2))
        self._loop.after(wait, self._probe)

    def _probe(self) -> None:
        self.refresh()
        try:
            self.renew()
        except StoreUnavailable as error:
            self.errors += 1
            self._again(error)
            return
        logs.get().info("the store is back")
        self._back_at = time.monotonic()
        self.up = True
        self.came_back()
        self._flush()

    def _flush(self) -> None:
        if self._flushing:
            return  # a call that puts another off: it comes after the rest
        self._flushing = True
        try:
            while self.up and self._put_off:
                self._put_off[0]()
                self._put_off.popleft()
        except StoreUnavailable as error:
            self.lost(error)
        finally:
            self._flushing = False
