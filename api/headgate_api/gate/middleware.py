"""`GateMiddleware`: an HTTPPolicy in front of any ASGI application, in one line.

    app.add_middleware(GateMiddleware, surface="api")

It needs the store's URL and nothing else; no framework is imported here. Put CORSMiddleware around it (add it after).
"""

from __future__ import annotations

import time
from asyncio import CancelledError, get_running_loop
from typing import Any

from headgate.model.documents import HttpDocument
from headgate_api.gate import settings
from headgate_api.gate.bodies import BodyTooLarge, Message, Receive, declared
from headgate_api.gate.deadlines import Deadlines
from headgate_api.gate.exchange import App, Exchange, Send
from headgate_api.gate.headers import EXPOSED
from headgate_api.gate.judge import Judge, User, unpolicied
from headgate_api.gate.metrics import COUNTS
from headgate_api.gate.problems import too_large
from headgate_api.gate.snapshot import Snapshot
from headgate_api.gate.store_url import StoreUrl
from headgate_api.gate.surface import Surface
from headgate_api.gate.websocket import Socket


class GateMiddleware:
    """`surface`: that of the HTTPPolicy. `store_url`, `prefix`: else HEADGATE_STORE_URL or REDIS_URL, RQ_KEY_PREFIX.

    `user(scope)`: the verified user or None, sync or async; else `request.state.user` as an outer middleware left it.
    `default`: what holds, in each process by itself, while no policy is published; without one requests pass.
    """

    def __init__(
        self,
        app: App,
        surface: str = "api",
        *,
        store_url: str | StoreUrl | None = None,
        prefix: str | None = None,
        user: User | None = None,
        default: HttpDocument | None = None,
    ) -> None:
        self._app = app
        url = StoreUrl(store_url) if isinstance(store_url, str) else store_url or settings.store_url()
        self._surface = Surface(surface, url, prefix or settings.key_prefix(), settings.pod(), default)
        self._judge = Judge(self._surface, user)
        self._deadlines = Deadlines()
        COUNTS.show()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" or kind == "websocket":
            surface = self._surface
            snapshot = surface.snapshot if surface.loop is get_running_loop() else await surface.enter()
            if snapshot is None:
                unpolicied(surface.name)
                await self._app(scope, receive, send)
            elif kind == "http":
                await self._http(snapshot, scope, receive, send)
            else:
                await self._websocket(snapshot, scope, receive, send)
        elif kind == "lifespan":
            await self._app(scope, receive, self._lifespan(send))
        else:
            await self._app(scope, receive, send)

    async def _http(self, snapshot: Snapshot, scope: Any, receive: Receive, send: Send) -> None:
        """In one piece where it is hot: each coroutine more is 1 % of a small request."""
        document = snapshot.document
        facts = snapshot.facts(scope["headers"])
        exchange = Exchange(send, self._deadlines, b"origin" in facts)
        length = facts.get(b"content-length")
        if length is not None and (declared(length) or 0) > document.max_body_bytes:
            await exchange.refuse(too_large(document.max_body_bytes))
            return
        ruling = await self._judge.rule(snapshot, scope, facts)
        if ruling is not None:
            if ruling.refusal is not None:
                await exchange.refuse(ruling.refusal)
                return
            exchange.headers = (*ruling.headers, EXPOSED) if exchange.expose and ruling.headers else ruling.headers
        to_client: Send = exchange.send
        # HTTP/1 announces each body; later versions need not.
        if length is not None or b"transfer-encoding" in facts or scope.get("http_version", "1.1") >= "2":
            receive, to_client = exchange.limit(receive, document.max_body_bytes)
        watched = ruling.rules.watched if ruling is not None else ()
        began = time.monotonic() if watched else 0.0
        self._deadlines.start(exchange, document.request_timeout_seconds)
        try:
            await self._app(scope, receive, to_client)
        except CancelledError:
            if not exchange.mine():
                raise
        except BodyTooLarge:
            if not exchange.exceeded:
                raise
        finally:
            self._deadlines.end(exchange)
            for series in watched:
                self._surface.sampling.latencies.add(series, time.monotonic() - began)
            if ruling is not None and ruling.allowed is not None:
                self._judge.settle(ruling, failed=exchange.failed)
        if exchange.expired or exchange.exceeded:
            await exchange.cut(document.request_timeout_seconds, document.max_body_bytes)
            COUNTS.timeout(document.surface).value += exchange.expired

    async def _websocket(self, snapshot: Snapshot, scope: Any, receive: Receive, send: Send) -> None:
        socket = Socket(send, self._deadlines)
        ruling = await self._judge.rule(snapshot, scope, snapshot.facts(scope["headers"]))
        if ruling is not None and ruling.refusal is not None:
            await socket.refuse(scope, receive, ruling.refusal)
            return
        headers = ruling.headers if ruling is not None else ()
        try:
            await socket.run(self._app, scope, receive, headers, snapshot.document.request_timeout_seconds)
        finally:
            if ruling is not None:
                self._judge.settle(ruling, failed=socket.failed)

    def _lifespan(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._surface.enter()
            elif message["type"] == "lifespan.shutdown.complete":
                await self._surface.leave()
            await send(message)

        return watched
