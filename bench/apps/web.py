"""One FastAPI application, bare or behind one limiter: `BENCH_LIMITER` says which, `BENCH_STORE` where its store is.

All limiters hold the same three rules, by address, user and header, 100 a second each, and say so in headers.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

KIND, STORE = os.environ.get("BENCH_LIMITER", "bare"), os.environ.get("BENCH_STORE", "")
LIMIT, SECONDS = 100, 1
HEADERS = ((b"ratelimit", b'"a";r=99;t=1, "b";r=99;t=1, "c";r=99;t=1'), (b"ratelimit-policy", b'"a";q=100;w=1'))


def header(request: Request, name: str) -> str:
    return request.headers.get(name, "-")


def address(request: Request) -> str:
    return header(request, "x-forwarded-for")


def user(request: Request) -> str:
    return header(request, "x-user")


def key(request: Request) -> str:
    return header(request, "x-key")


class Constant:
    """Two constant headers and no check: the most that any limiter could keep."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Limits:
    """`limits`' own asyncio strategies: three hits, one after the other."""

    def __init__(self, app: Any, strategy: str) -> None:
        from limits import RateLimitItemPerSecond
        from limits.aio import storage, strategies

        store = storage.RedisStorage(f"async+{STORE}", implementation="redispy")
        kinds = {"fixed": strategies.FixedWindowRateLimiter, "moving": strategies.MovingWindowRateLimiter}
        self._app, self._limiter = app, kinds[strategy](store)
        self._item = RateLimitItemPerSecond(LIMIT, SECONDS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = dict(scope["headers"])
        for name in (b"x-forwarded-for", b"x-user", b"x-key"):
            if not await self._limiter.hit(self._item, name.decode(), found.get(name, b"-").decode()):
                await Response(status_code=429)(scope, receive, send)
                return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers)


def built() -> Any:
    app = FastAPI()

    async def item(request: Request, response: Response, number: int) -> dict[str, int]:
        return {"number": number}

    async def plain(number: int) -> dict[str, int]:
        return {"number": number}

    if KIND == "slowapi":
        app.get("/items/{number}")(_slowapi(app)(item))
        return app
    app.get("/items/{number}")(plain)
    if KIND == "headgate":
        from headgate_api.gate import GateMiddleware

        app.add_middleware(
            GateMiddleware, store_url=STORE, user=lambda scope: dict(scope["headers"]).get(b"x-user", b"").decode()
        )
    elif KIND == "constant":
        app.add_middleware(Constant)
    elif KIND != "bare":
        app.add_middleware(Limits, strategy=KIND.removeprefix("limits-"))
    return app


def _slowapi(app: FastAPI) -> Callable[[Any], Any]:
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded

    limiter = Limiter(key_func=address, storage_uri=STORE, strategy="moving-window", headers_enabled=True)
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)  # type: ignore[arg-type]

    def limited(endpoint: Callable[..., Awaitable[Any]]) -> Any:
        for of in (address, user, key):
            endpoint = limiter.limit(f"{LIMIT}/{SECONDS} second", key_func=of)(endpoint)
        return endpoint

    return limited


app = built()
