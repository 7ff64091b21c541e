"""A few connections to the store, each in a thread of its own: the event loop never waits for the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from headgate.errors import StoreUnavailable
from headgate.gates.door import Door
from headgate.gates.verbs import StoreState
from headgate_api.gate.store_url import StoreUrl

T = TypeVar("T")

CONNECTIONS = 4
MOST_WAITING = 256
"""More calls than this at once are refused: the store is slower than what is asked of it."""
CALL_SECONDS = 5.0
"""With the time in the line before it: who waits longer is told to come again."""
GLIMPSE_SECONDS = 0.5


class Doors:
    """`do` runs a function of a `Door` off the loop. Raises `StoreUnavailable`."""

    def __init__(self, url: StoreUrl, prefix: str, size: int = CONNECTIONS) -> None:
        self._url, self._prefix = url, prefix
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="headgate-store")
        self._own = threading.local()
        self._doors: list[Door] = []
        self._waiting = 0
        self._glimpse: tuple[float, asyncio.Future[StoreState]] | None = None

    async def do(self, call: Callable[[Door], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise StoreUnavailable(f"{self._waiting} calls wait for the store already")
        self._waiting += 1
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._with_door, call)
        except TimeoutError:
            raise StoreUnavailable(f"no answer within {CALL_SECONDS:g} s") from None
        finally:
            self._waiting -= 1

    async def state(self) -> StoreState:
        """`inspect`, at most half a second old: however many ask, the store is asked twice a second."""
        loop = asyncio.get_running_loop()
        if self._glimpse is None or loop.time() >= self._glimpse[0] or self._glimpse[1].get_loop() is not loop:
            asking = asyncio.ensure_future(self.do(Door.inspect))
            asking.add_done_callback(self._forget_failure)
            self._glimpse = (loop.time() + GLIMPSE_SECONDS, asking)
        return await asyncio.shield(self._glimpse[1])

    def forget(self) -> None:
        """Something was changed: whoever asks next sees it."""
        self._glimpse = None

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        for door in self._doors:
            door.close()

    def _with_door(self, call: Callable[[Door], T]) -> T:
        """Where the store is now: a file is read for it, as a password may be another one by now."""
        url, door = self._url.now(), getattr(self._own, "door", None)
        if door is None or self._own.url != url:
            if door is not None:
                self._doors.remove(door)
                door.close()
            door = Door(url, self._prefix, timeout=1.9)
            self._own.door, self._own.url = door, url
            self._doors.append(door)
        return call(door)

    def _forget_failure(self, asked: asyncio.Future[StoreState]) -> None:
        failed = asked.cancelled() or asked.exception() is not None
        if failed and self._glimpse is not None and self._glimpse[1] is asked:
            self._glimpse = None
