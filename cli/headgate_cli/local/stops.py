"""Ctrl-C and SIGTERM: the first asks for a drain, another Ctrl-C for less patience."""

from __future__ import annotations

import asyncio
import signal


class Stops:
    """Make it inside a running loop of the main thread. A second SIGTERM changes nothing, as with a worker."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._interrupts: asyncio.Queue[None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        loop.add_signal_handler(signal.SIGTERM, self._asked.set)

    async def first(self) -> None:
        """Return when a drain is asked for."""
        await self._asked.wait()

    async def next_interrupt(self) -> None:
        """Return at the next Ctrl-C after the first stop."""
        await self._interrupts.get()

    def _interrupted(self) -> None:
        if self._asked.is_set():
            self._interrupts.put_nowait(None)
        self._asked.set()

    def close(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
