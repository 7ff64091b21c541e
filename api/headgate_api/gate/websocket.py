"""Runs one admitted websocket: its handshake counts as a GET, its place is held until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from headgate_api.gate.bodies import Message, Receive
from headgate_api.gate.deadlines import Deadlines, Timed
from headgate_api.gate.exchange import App, Send
from headgate_api.gate.headers import Header
from headgate_api.gate.problems import Refusal, timed_out

_DENIAL = "websocket.http.response"
POLICY_VIOLATION = 1008


class Socket(Timed):
    """`failed`: it was never accepted."""

    __slots__ = ("_deadlines", "_headers", "_send", "accepted", "answered")

    def __init__(self, send: Send, deadlines: Deadlines) -> None:
        super().__init__()
        self._send, self._deadlines = send, deadlines
        self._headers: tuple[Header, ...] = ()
        self.accepted = self.answered = False

    @property
    def failed(self) -> bool:
        return not self.accepted

    async def refuse(self, scope: Any, receive: Receive, refusal: Refusal) -> None:
        """With a status and a problem document where the server can, else closed before it is accepted (HTTP 403)."""
        if (await receive())["type"] == "websocket.connect":
            await self._answer(scope, refusal)

    async def _answer(self, scope: Any, refusal: Refusal) -> None:
        self.answered = True
        if _DENIAL not in scope.get("extensions", {}):
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "limit exceeded"})
            return
        await self._send({**refusal.start(), "type": f"{_DENIAL}.start"})
        await self._send({"type": f"{_DENIAL}.body", "body": refusal.body})

    async def run(self, app: App, scope: Any, receive: Receive, headers: tuple[Header, ...], seconds: int) -> None:
        """The deadline is for the handshake; an open socket has none."""
        self._headers = headers
        self._deadlines.start(self, seconds)
        try:
            await app(scope, receive, self.send)
        except asyncio.CancelledError:
            if not self.mine():
                raise
        finally:
            self._deadlines.end(self)
        self.mine()
        if self.expired and not self.answered:
            await self._answer(scope, timed_out(seconds))

    def send(self, message: Message) -> Awaitable[None]:
        if not self.answered:
            self.answered = True
            if message["type"] == "websocket.accept":
                self.accepted = True
                self._deadlines.end(self)
                message["headers"] = [*message.get("headers", ()), *self._headers]
        return self._send(message)
