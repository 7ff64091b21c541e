"""The page, its files, its session, its updates. What the page changes goes through the API's own routes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from headgate_api.auth import permit
from headgate_api.dashboard import assets, session
from headgate_api.dashboard.feed import MOST_VIEWERS, Feed
from headgate_api.dashboard.frames import GZIP_HEAD
from headgate_api.dashboard.reading import Reader
from headgate_api.parts import Parts, parts_of
from headgate_api.problems import Problem, too_soon
from headgate_api.tokens import Caller, Scope

router = APIRouter(include_in_schema=False)
PartsOf = Annotated[Parts, Depends(parts_of)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
RECHECK_SECONDS = 10.0
"""A stream whose token was taken out of the file ends within this."""
BUSY_MS = 10_000


def install(app: FastAPI, parts: Parts) -> Feed:
    """The dashboard of this application. Close the feed when the server stops: streams do not end by themselves."""
    reader = Reader()
    feed = Feed(lambda: parts.doors.do(reader.read))
    app.state.feed = feed
    app.include_router(router)
    return feed


@router.get("/")
async def page(request: Request) -> Response:
    return _asset(request, "index.html")


@router.get("/static/{path:path}")
async def static(request: Request, path: str) -> Response:
    return _asset(request, path)


@router.get("/session")
async def who(request: Request, parts: PartsOf, bearer: Bearer) -> Response:
    return _welcome(permit(_caller(request, parts, bearer)[1], Scope.READ, request))


@router.post("/session")
async def sign_in(request: Request, parts: PartsOf, bearer: Bearer) -> Response:
    """The bearer token becomes the page's cookie. Another site cannot do this: it cannot send the header."""
    caller = permit(parts.tokens.caller(bearer.credentials) if bearer else None, Scope.READ, request)
    response = _welcome(caller)
    session.begin(request, response, bearer.credentials if bearer else "")
    return response


@router.delete("/session")
async def sign_out(request: Request) -> Response:
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    session.end(request, response)
    return response


@router.get("/events")
async def events(request: Request, parts: PartsOf, bearer: Bearer) -> Response:
    token, caller = _caller(request, parts, bearer)
    permit(caller, Scope.READ, request)
    feed: Feed = request.app.state.feed
    if feed.viewers >= MOST_VIEWERS:
        raise too_soon(503, f"{MOST_VIEWERS} pages look already.", BUSY_MS)
    packed = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    if packed:
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return StreamingResponse(_stream(feed, parts, token, packed), headers=headers, media_type="text/event-stream")


async def _stream(feed: Feed, parts: Parts, token: str, packed: bool) -> AsyncIterator[bytes]:
    checked = time.monotonic()
    if packed:
        yield GZIP_HEAD
    async with aclosing(feed.frames()) as frames:
        async for frame in frames:
            if time.monotonic() - checked > RECHECK_SECONDS:
                checked = time.monotonic()
                if parts.tokens.caller(token) is None:
                    return
            yield frame.bytes_for(packed)


def _caller(request: Request, parts: Parts, bearer: HTTPAuthorizationCredentials | None) -> tuple[str, Caller | None]:
    token = bearer.credentials if bearer else session.presented(request) or ""
    return token, parts.tokens.caller(token) if token else None


def _welcome(caller: Caller) -> Response:
    """What the page may offer; the routes decide again."""
    may: dict[str, Any] = {"name": caller.name, "operate": caller.may(Scope.OPERATE)}
    return JSONResponse(may, headers={"Cache-Control": "no-store"})


def _asset(request: Request, path: str) -> Response:
    found = assets.answer(request, path)
    if found is None:
        raise Problem(404, "There is nothing at this path.")
    return found
