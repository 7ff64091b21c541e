"""One HTTP request on its way: its deadline, its body's limit, what the answer gets, and how it ended."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from headgate_api.gate.bodies import BodyLimit, BodyTooLarge, Message, Receive
from headgate_api.gate.deadlines import Deadlines, Timed
from headgate_api.gate.headers import EXPOSED, Header
from headgate_api.gate.problems import Refusal, timed_out, too_large

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

logger = logging.getLogger("headgate.gate")


class Exchange(Timed):
    """`status` 0: nothing was answered (yet). `headers` are added to the answer."""

    __slots__ = ("_body", "_deadlines", "_send", "expose", "headers", "status")

    def __init__(self, send: Send, deadlines: Deadlines, expose: bool) -> None:
        self.expired = self._taken = False
        self._send, self._deadlines, self.expose = send, deadlines, expose
        self.headers: tuple[Header, ...] = ()
        self._body: BodyLimit | None = None
        self.status = 0

    @property
    def failed(self) -> bool:
        return self.status == 0 or self.status >= 400

    @property
    def exceeded(self) -> bool:
        return self._body is not None and self._body.exceeded

    def limit(self, receive: Receive, limit: int) -> tuple[Receive, Send]:
        """What the application gets instead of its two channels when a body may come."""
        self._body = BodyLimit(receive, limit)
        return self._body.receive, self._send_unless_exceeded

    async def refuse(self, refusal: Refusal) -> None:
        self.status = refusal.status
        await self._send(refusal.start((EXPOSED,) if self.expose else ()))
        await self._send({"type": "http.response.body", "body": refusal.body})

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            for name, value in headers:
                if name == b"content-type" and value.startswith(b"text/event-stream"):
                    self._deadlines.end(self)  # it is meant to stay open
            if self.headers:
                message["headers"] = [*headers, *self.headers]
        return self._send(message)

    async def _send_unless_exceeded(self, message: Message) -> None:
        """What an application makes of its body being cut off is not what the client should read."""
        if self.exceeded and self.status == 0:
            raise BodyTooLarge
        await self.send(message)

    async def cut(self, seconds: int, limit: int) -> None:
        """It was ended for its body or its deadline: say so, or let the client see that the answer is not whole."""
        self.mine()
        if self.status != 0:
            # Without the last piece of the body the server cuts the connection.
            if self.expired:
                logger.warning("Response cut after %d seconds: it had begun and did not end", seconds)
        elif self.exceeded:
            await self.refuse(too_large(limit))
        else:
            await self.refuse(timed_out(seconds))
