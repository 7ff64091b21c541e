"""Statistics for a page: each panel cached, computed once for all who ask, with a deadline and a fallback of its own.

A source that is slow or fails degrades its own panel (stale, or missing with the reason) and never the page.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TTL_SECONDS = 60.0
JITTER = 0.1
"""A panel lives so much shorter by chance, so that panels that were computed together do not expire together."""
DEADLINE_SECONDS = 5.0
STALE_SECONDS = 3_600.0
RETRY_SECONDS = 5.0
"""A source that failed, or is still stuck, is left alone for so long."""
HOPELESS = 12
"""After so many deadlines a stuck computation is cancelled; until then no second one is begun beside it."""
MOST_KEPT = 512
MOST_DAYS = 365

logger = logging.getLogger("headgate.panels")


class Freshness(StrEnum):
    HIT = "hit"
    MISS = "miss"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Query:
    """What a panel is asked for. Every field is part of the cache's key."""

    days: int = 7
    with_size: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.days <= MOST_DAYS:
            raise ValueError(f"days={self.days}: from 1 to {MOST_DAYS}")


@dataclass(frozen=True, slots=True)
class Panel:
    """A source by name. `compute` is awaited at most once at a time for each query; `deadline` in seconds."""

    name: str
    compute: Callable[[Query], Awaitable[Any]]
    ttl: float = TTL_SECONDS
    deadline: float = DEADLINE_SECONDS
    fallback: Any = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One panel's answer. `age`: whole seconds since it was computed. `error`: why it is stale or missing, else ""."""

    name: str
    value: Any
    freshness: Freshness
    age: int
    error: str = ""
    ttl: int = 0

    @property
    def cache_status(self) -> str:
        """RFC 9211."""
        if self.freshness is Freshness.HIT:
            return f"{self.name}; hit; ttl={self.ttl}"
        if self.freshness is Freshness.STALE:
            return f"{self.name}; hit; ttl={self.ttl}; detail=stale-on-error"
        return f"{self.name}; fwd=miss" + ("; stored" if self.freshness is Freshness.MISS else "")


@dataclass(slots=True)
class _Kept:
    value: Any = None
    at: float = 0.0
    expires: float = 0.0
    has_value: bool = False
    error: str = ""
    retry_at: float = 0.0
    running: asyncio.Task[None] | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Panels:
    """The panels of one page. `clock`: monotonic seconds. For one event loop."""

    def __init__(
        self, *panels: Panel, stale: float = STALE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._panels = {panel.name: panel for panel in panels}
        self._stale, self._clock = stale, clock
        self._kept: OrderedDict[tuple[str, Query], _Kept] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._panels)

    def add(self, panel: Panel) -> None:
        self._panels[panel.name] = panel

    async def page(self, query: Query | None = None) -> Mapping[str, Shown]:
        """All of them, side by side: as slow as the slowest deadline at worst, and never an error."""
        names = list(self._panels)
        shown = await asyncio.gather(*(self.show(name, query) for name in names))
        return dict(zip(names, shown, strict=True))

    async def show(self, name: str, query: Query | None = None) -> Shown:
        """One of them; KeyError when there is none of that name."""
        panel, query = self._panels[name], query or Query()
        kept = self._entry(name, query)
        now = self._clock()
        if kept.has_value and now < kept.expires:
            return self._shown(panel, kept, Freshness.HIT)
        if kept.running is None and now >= kept.retry_at:
            kept.finished = asyncio.Event()
            kept.running = asyncio.ensure_future(self._compute(panel, query, kept))
        elif kept.running is None or now < kept.retry_at:
            return self._shown(panel, kept, None)
        before = kept.at if kept.has_value else None
        await self._wait(kept, panel.deadline)
        fresh = kept.has_value and kept.at != before and not kept.error
        return self._shown(panel, kept, Freshness.MISS if fresh else None)

    async def close(self) -> None:
        """Stop what still computes."""
        running = [kept.running for kept in self._kept.values() if kept.running]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _wait(self, kept: _Kept, deadline: float) -> None:
        """Until it is computed, or for the deadline: then the source is stuck, and nobody waits for it for a while."""
        try:
            async with asyncio.timeout(deadline):
                await kept.finished.wait()
        except TimeoutError:
            if kept.finished.is_set():  # both in one turn of a busy loop: it did answer
                return
            kept.error = f"no answer within {deadline:g} s"
            kept.retry_at = self._clock() + RETRY_SECONDS

    async def _compute(self, panel: Panel, query: Query, kept: _Kept) -> None:
        try:
            async with asyncio.timeout(panel.deadline * HOPELESS):
                value = await panel.compute(query)
        except Exception as error:
            kept.error, kept.retry_at = _reason(error), self._clock() + RETRY_SECONDS
            logger.warning("Panel failed panel=%s: %s", panel.name, kept.error)
        else:
            kept.value, kept.has_value, kept.error, kept.retry_at = value, True, "", 0.0
            kept.at = self._clock()
            kept.expires = kept.at + panel.ttl * (1 - random.random() * JITTER)  # noqa: S311
        finally:
            kept.running = None
            kept.finished.set()

    def _entry(self, name: str, query: Query) -> _Kept:
        key = (name, query)
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            oldest = next((key for key, one in self._kept.items() if one.running is None and one is not kept), None)
            if oldest is not None:
                del self._kept[oldest]
        return kept

    def _shown(self, panel: Panel, kept: _Kept, freshness: Freshness | None) -> Shown:
        now = self._clock()
        age = int(now - kept.at) if kept.has_value else 0
        if freshness is None:
            usable = kept.has_value and now - kept.at <= self._stale
            freshness = Freshness.STALE if usable else Freshness.MISSING
        if freshness is Freshness.MISSING:
            return Shown(panel.name, panel.fallback, freshness, 0, kept.error or "not computed yet")
        error = kept.error if freshness is Freshness.STALE else ""
        return Shown(panel.name, kept.value, freshness, age, error, int(kept.expires - now))


def _reason(error: Exception) -> str:
    """For a person who looks at the page; the log has the same. No value of a row stands in a class name."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}".rstrip(": ")
