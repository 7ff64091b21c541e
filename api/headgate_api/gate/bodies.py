"""Bodies that are longer than a surface takes: refused by their declared length, or as soon as they grow past it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class BodyTooLarge(Exception):
    """Raised in the application's own `receive`. Frameworks may turn it into an answer of theirs; 413 replaces it."""


def declared(length: bytes) -> int | None:
    """Content-Length as a number; None when it is none (the server refuses most of those itself)."""
    return int(length) if length.isdigit() and len(length) < 19 else None


class BodyLimit:
    """A `receive` that counts."""

    __slots__ = ("_left", "_receive", "exceeded")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit
        self.exceeded = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.exceeded = True
                raise BodyTooLarge
        return message
