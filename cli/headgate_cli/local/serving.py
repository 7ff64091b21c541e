"""What `headgate up` does once everything is prepared: run, show, follow the files, and drain when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headgate.control.ports import Store
from headgate.errors import StoreUnavailable
from headgate_cli.local.companion import Companion
from headgate_cli.local.console import Console
from headgate_cli.local.files import Reading
from headgate_cli.local.fleet import Fleet
from headgate_cli.local.folder import Folder
from headgate_cli.local.outlook import Outlook
from headgate_cli.local.stops import Stops
from headgate_cli.local.store_server import EmbeddedStore

STATUS_SECONDS = 5.0
LESS_PATIENCE_SECONDS = 10.0
"""After the second Ctrl-C: enough for workers to hand back what they run."""


@dataclass(slots=True)
class Serving:
    """`embedded` is the store when it is our own child."""

    fleet: Fleet
    folder: Folder
    store: Store
    embedded: EmbeddedStore | None
    companions: Sequence[Companion]
    outlook: Outlook
    console: Console

    async def run(self, stops: Stops) -> int:
        """The exit code: 0 after a drain that somebody asked for, 1 when a part broke."""
        shown = asyncio.ensure_future(self._show_status())
        parts = [asyncio.ensure_future(self.fleet.run()), asyncio.ensure_future(self.folder.watch(self._applied))]
        companions = [asyncio.ensure_future(companion.run()) for companion in self.companions]
        try:
            problem = await self._until_stopped(stops, parts)
            if problem:
                self.console.warn(problem)
            await asyncio.gather(*(companion.stop() for companion in self.companions))
            await asyncio.gather(*companions, return_exceptions=True)
            await _cancel(parts)
            await self._drain(stops, LESS_PATIENCE_SECONDS if problem else None)
        finally:
            await _cancel([shown, *parts, *companions])
        self.console.note("stopped" if problem else "drained, bye")
        return 1 if problem else 0

    async def _until_stopped(self, stops: Stops, parts: Sequence[asyncio.Future[None]]) -> str:
        """Why to stop although nobody asked for it, or ""."""
        asked = asyncio.ensure_future(stops.first())
        everything: list[asyncio.Future[Any]] = [asked, *parts]
        if self.embedded:
            everything.append(self.embedded.ended)
        await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return ""
        asked.cancel()
        if self.embedded and self.embedded.ended.done():
            return f"the embedded store ended with exit code {self.embedded.ended.result()}"
        errors = [part.exception() for part in parts if part.done()]
        return f"headgate up broke: {errors[0]!r}"

    async def _drain(self, stops: Stops, grace: float | None) -> None:
        """Ctrl-C again makes workers hand back what they run, once more kills them."""
        self.console.note("draining: nothing new starts, running jobs end; Ctrl-C hands them back at once")
        self.fleet.end(grace)
        ended = asyncio.ensure_future(self.fleet.ended())
        less_patience = [LESS_PATIENCE_SECONDS]
        while True:
            interrupted = asyncio.ensure_future(stops.next_interrupt())
            await asyncio.wait({ended, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                interrupted.cancel()
                return
            if less_patience:
                self.console.note("handing running jobs back to their queues")
                await self.fleet.hand_back()
                self.fleet.end(less_patience.pop())
            else:
                self.fleet.end(0)

    async def _show_status(self) -> None:
        shown = ""
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            try:
                line = await self.outlook.status(self.store)
            except StoreUnavailable as error:
                line = f"the store does not answer: {error}"
            if line != shown:
                self.console.note(f"---- {line}")
            shown = line

    def _applied(self, reading: Reading, changed: Sequence[str]) -> None:
        self.console.note(f"from the files: {', '.join(changed)}")
        self.outlook.look(reading)


async def _cancel(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
