"""Speaks ASGI to an application directly: what a server would hand on, byte for byte, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """`status` 0: nothing was answered. `whole`: the last piece of the body was sent."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)


def scope(method: str, path: str, headers: Headers, client: tuple[str, int] | None, **more: Any) -> dict[str, Any]:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": raw, "client": client,
        "server": ("127.0.0.1", 80), "state": {}, **more,
    }  # fmt: skip


async def call(
    app: Any,
    method: str = "GET",
    path: str = "/",
    *,
    headers: Headers = (),
    body: Sequence[bytes] = (),
    client: tuple[str, int] | None = ("203.0.113.1", 40_000),
    disconnect: asyncio.Event | None = None,
    **more: Any,
) -> Answer:
    """One request; `body` in pieces. After it the client waits, or has gone once `disconnect` is set."""
    answer, pieces = Answer(), list(body) or [b""]

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        await (disconnect or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert answer.status == 0, "a second answer"
            answer.status = message["status"]
            answer.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
        else:
            assert answer.status, "a body without a beginning"
            answer.body += message.get("body", b"")
            answer.whole = not message.get("more_body", False)

    await app(scope(method, path, headers, client, **more), receive, send)
    return answer


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Startup and shutdown as a server runs them."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(app(scope, to_app.get, from_app.put))
    try:
        await to_app.put({"type": "lifespan.startup"})
        assert (await from_app.get())["type"] == "lifespan.startup.complete"
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
        await task


class Socket:
    """One websocket as a server drives it. `answers`: what the application sent."""

    def __init__(self, app: Any, path: str = "/ws", *, denial: bool = True, host: str = "203.0.113.1") -> None:
        self.answers: list[dict[str, Any]] = []
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        handshake = {**scope("GET", path, [], (host, 1)), "type": "websocket", "scheme": "ws", "subprotocols": []}
        del handshake["method"]
        if denial:
            handshake["extensions"] = {"websocket.http.response": {}}
        self._to_app.put_nowait({"type": "websocket.connect"})
        self.task: asyncio.Task[None] = asyncio.create_task(app(handshake, self._to_app.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        self.answers.append(message)
        self._from_app.put_nowait(message)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            return await self._from_app.get()

    def say(self, text: str) -> None:
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def leave(self) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.task
