"""Runs one admitted HTTP request: its deadline, its body's limit, what the answer gets, and how it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from headgate_api.gate.bodies import BodyLimit, BodyTooLarge, Message, Receive
from headgate_api.gate.deadlines import Deadline, Deadlines
from headgate_api.gate.headers import EXPOSED, Header
from headgate_api.gate.problems import Refusal, timed_out, too_large

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

logger = logging.getLogger("headgate.gate")


class Exchange:
    """`status` 0: nothing was answered (yet)."""

    __slots__ = ("_body", "_deadline", "_deadlines", "_headers", "_send", "expose", "status")

    def __init__(self, send: Send, deadlines: Deadlines, *, expose: bool) -> None:
        self._send, self._deadlines, self.expose = send, deadlines, expose
        self._headers: tuple[Header, ...] = ()
        self._body: BodyLimit | None = None
        self._deadline: Deadline | None = None
        self.status = 0

    @property
    def late(self) -> bool:
        return self._deadline is not None and self._deadline.expired

    @property
    def failed(self) -> bool:
        return self.status == 0 or self.status >= 400

    async def refuse(self, refusal: Refusal) -> None:
        self.status = refusal.status
        await self._send(refusal.start((EXPOSED,) if self.expose else ()))
        await self._send({"type": "http.response.body", "body": refusal.body})

    async def run(
        self, app: App, scope: Any, receive: Receive, headers: tuple[Header, ...], seconds: int, limit: int | None
    ) -> None:
        """`limit` None: no body can come."""
        self._headers = (*headers, EXPOSED) if self.expose and headers else headers
        if limit is not None:
            self._body = BodyLimit(receive, limit)
            receive = self._body.receive
        deadline = self._deadline = self._deadlines.start(seconds)
        try:
            await app(scope, receive, self.send if self._body is None else self._send_unless_exceeded)
        except asyncio.CancelledError:
            if not deadline.mine():
                raise
        except BodyTooLarge:
            if self._body is None or not self._body.exceeded:
                raise
        else:
            deadline.mine()
        finally:
            self._deadlines.end(deadline)
        if limit is not None and self._body is not None and self._body.exceeded and self.status == 0:
            await self.refuse(too_large(limit))
        elif deadline.expired:
            await self._late(seconds)

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            for name, value in headers:
                if name == b"content-type" and value.startswith(b"text/event-stream") and self._deadline is not None:
                    self._deadlines.end(self._deadline)  # it is meant to stay open
            if self._headers:
                message["headers"] = [*headers, *self._headers]
        return self._send(message)

    async def _send_unless_exceeded(self, message: Message) -> None:
        """What an application makes of its body being cut off is not what the client should read."""
        if self._body is not None and self._body.exceeded and self.status == 0:
            raise BodyTooLarge
        await self.send(message)

    async def _late(self, seconds: int) -> None:
        if self.status == 0:
            await self.refuse(timed_out(seconds))
            return
        # Without the last piece of the body the server cuts the connection: the client sees that it is not whole.
        logger.warning("Response cut after %d seconds: it had begun and did not end", seconds)
