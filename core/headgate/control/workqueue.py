"""Keys that wait for a reconcile: each at most once, never in two hands, with a growing pause after each failure.

What client-go's work queue promises: a key that is added while it is in hand is handed out again afterwards, so that
the last event is never lost; a burst of events is one key.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """`base` and `cap`: seconds of the first and of the longest pause after failures, of which up to half is chance."""

    def __init__(self, *, base: float = 0.5, cap: float = 300.0, chance: Callable[[], float] = random.random) -> None:
        self._base, self._cap, self._chance = base, cap, chance
        self._ready: OrderedDict[K, float] = OrderedDict()
        self._in_hand: set[K] = set()
        self._dirty: set[K] = set()
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()

    def add(self, key: K) -> None:
        """Now, or right after the hand that has it lets go. A later appointment of this key is dropped."""
        timer = self._later.pop(key, None)
        if timer:
            timer.cancel()
        if key in self._in_hand:
            self._dirty.add(key)
        elif key not in self._ready:
            self._ready[key] = asyncio.get_running_loop().time()
            self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """After so many seconds; an earlier appointment stays, and what is ready already stays ready."""
        loop = asyncio.get_running_loop()
        timer = self._later.get(key)
        if key in self._ready or key in self._dirty or (timer and timer.when() <= loop.time() + seconds):
            return
        if timer:
            timer.cancel()
        self._later[key] = loop.call_later(seconds, self._due, key)

    def add_failed(self, key: K) -> float:
        """Again after a pause that doubles with each failure in a row. Answers its seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest = min(self._cap, self._base * 2.0 ** min(failures - 1, 32))
        pause = longest * (0.5 + 0.5 * self._chance())
        self.add_after(key, pause)
        return pause

    def succeeded(self, key: K) -> None:
        """The next failure is the first again."""
        self._failures.pop(key, None)

    async def take(self) -> K:
        """The key that waits longest. Whoever takes it must call `done`."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key, _ = self._ready.popitem(last=False)
        self._in_hand.add(key)
        return key

    def done(self, key: K) -> None:
        self._in_hand.discard(key)
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)

    def close(self) -> None:
        """Cancel the appointments."""
        for timer in self._later.values():
            timer.cancel()
        self._later.clear()

    @property
    def depth(self) -> int:
        """Keys that are ready."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing is ready and nothing is in hand; appointments may be open."""
        return not self._ready and not self._in_hand

    def oldest_seconds(self) -> float:
        """Since when the key that waits longest is ready; 0 when none is."""
        first = next(iter(self._ready.values()), None)
        return 0.0 if first is None else asyncio.get_running_loop().time() - first

    def _due(self, key: K) -> None:
        del self._later[key]
        self.add(key)
