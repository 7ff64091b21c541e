"""One poller a process, however many look: it reads the store once a second, and only while somebody looks.

A viewer is a number, the update it saw last. Who saw the one before gets what changed; everybody else (new, slow, back
after a break) gets the whole latest snapshot. So nothing queues up for a slow viewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

from headgate.errors import HeadgateError
from headgate_api.dashboard.frames import Frame, changes, event, frame
from headgate_api.dashboard.reading import Reading
from headgate_api.dashboard.snapshot import Parts, arithmetic, parts

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 2.5
"""A store that takes longer is called unreachable; the question stays asked."""
IDLE_SECONDS = 10.0
"""Sent at least so often, so that proxies and the page know that the connection lives."""
MOST_VIEWERS = 500

Read = Callable[[], Awaitable[Reading]]
logger = logging.getLogger("headgate.api")


class Feed:
    """Belongs to one event loop. `clock`: epoch seconds, for when the store was last seen."""

    def __init__(self, read: Read, *, every: float = EVERY_SECONDS, clock: Callable[[], float] = time.time) -> None:
        self._read, self._every, self._clock = read, every, clock
        self._boot, self._number = secrets.token_hex(3), 0
        self._parts: Parts = {}
        self._meta: dict[str, Any] = {}
        self._delta: Frame | None = None
        self._full: Frame | None = None
        self._turn = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self.viewers = 0
        self.closed = False

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Updates for one viewer, from the latest snapshot on, until the feed is closed. Empty ones while idle."""
        self.viewers += 1
        seen = -1
        try:
            self._start()
            yield frame("retry: 2000\n\n")
            while not self.closed:
                turn = self._turn
                if seen != self._number and self._number:
                    update = self._update_after(seen)
                    seen = self._number
                    yield update
                    continue
                try:
                    await asyncio.wait_for(turn.wait(), IDLE_SECONDS)
                except TimeoutError:
                    yield frame(": still here\n\n")
        finally:
            self.viewers -= 1

    def close(self) -> None:
        """Every stream ends soon: a server that stops does not wait for pages."""
        self.closed = True
        if self._poller:
            self._poller.cancel()
        self._turn.set()

    def _update_after(self, seen: int) -> Frame:
        if seen == self._number - 1 and self._delta is not None:
            return self._delta
        if self._full is None:
            self._full = event("full", self._id(), {"meta": self._meta, "parts": self._parts})
        return self._full

    def _id(self) -> str:
        return f"{self._boot}-{self._number}"

    def _start(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while self.viewers and not self.closed:
            started = loop.time()
            await self._look()
            await asyncio.sleep(max(self._every / 4, started + self._every - loop.time()))

    async def _look(self) -> None:
        asked = asyncio.ensure_future(self._read())
        try:
            done, _ = await asyncio.wait((asked,), timeout=PATIENCE_SECONDS)
            if not done:
                self._unreachable()
            reading = await asked
            self._publish(parts(reading), _meta(reading))
        except HeadgateError:
            self._unreachable()
        except asyncio.CancelledError:
            asked.cancel()
            with contextlib.suppress(BaseException):
                await asked
            raise
        except Exception:
            logger.exception("The dashboard could not show what it read")
            self._unreachable()

    def _unreachable(self) -> None:
        """The last known rows stay; only what is said of the store changes, and once."""
        if "down_since" not in self._meta:
            self._publish(self._parts, {**self._meta, "down_since": int(self._clock() * 1000)})

    def _publish(self, rows: Parts, meta: Mapping[str, Any]) -> None:
        changed = changes(self._parts, rows)
        self._number += 1
        self._parts, self._meta, self._full = rows, dict(meta), None
        self._delta = event("delta", self._id(), {"meta": self._meta, "parts": changed})
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()


def _meta(reading: Reading) -> dict[str, Any]:
    state = reading.state
    return {
        "now": state.now,
        "epoch": state.epoch,
        "quarantine_until": state.quarantine_until if state.quarantine_until > state.now else 0,
        "most": arithmetic(reading),
    }
