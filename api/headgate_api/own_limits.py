"""The limits of this service itself, for as long as no HTTPPolicy declares its surface."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from headgate.model.documents import HttpDocument, HttpMatch, HttpRule, PathMatch, RateDocument
from headgate_api.dashboard import session
from headgate_api.gate.middleware import GateMiddleware
from headgate_api.parts import Parts

_API, _SIGN_IN = PathMatch(value="/v1"), PathMatch(type="Exact", value="/session")
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")
UNLIMITED = ("/healthz", "/readyz", "/metrics", "/report")
MINUTE_MS = 60_000


def default(surface: str) -> HttpDocument:
    """By the token's name, or the address of whoever has none."""
    return HttpDocument(
        surface=surface,
        rules=(
            HttpRule(
                name="requests",
                match=HttpMatch(paths=(_API,)),
                key="User",
                rate=RateDocument(limit=1_200, period_ms=MINUTE_MS),
            ),
            HttpRule(
                name="changes",
                match=HttpMatch(methods=_CHANGES, paths=(_API,)),
                key="User",
                rate=RateDocument(limit=600, period_ms=MINUTE_MS),
            ),
            HttpRule(
                name="sign-in",
                match=HttpMatch(methods=("POST",), paths=(_SIGN_IN,)),
                count="Failures",
                rate=RateDocument(limit=10, period_ms=15 * MINUTE_MS),
            ),
        ),
    )


class OwnLimits:
    """The middleware before all but these: a rule that matches everything must not fail the probes."""

    def __init__(self, app: ASGIApp, gate: Callable[[ASGIApp], ASGIApp]) -> None:
        self._app, self._gate = app, gate(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "") if scope["type"] == "http" else ""
        free = path in UNLIMITED or path.startswith("/authz/")
        await (self._app if free else self._gate)(scope, receive, send)


def install(app: FastAPI, parts: Parts) -> None:
    settings = parts.settings
    gate = partial(
        GateMiddleware,
        surface=settings.surface,
        store_url=settings.store_url,
        prefix=settings.prefix,
        user=lambda scope: _user(parts, scope),
        default=default(settings.surface),
    )
    app.add_middleware(OwnLimits, gate=gate)


def _user(parts: Parts, scope: Any) -> str | None:
    """Only a token that is known names somebody: else every guess would bring limits of its own."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            caller = parts.tokens.caller(value[7:].strip().decode("latin-1"))
            return caller.name if caller else None
    token = session.presented(Request(scope)) if scope["type"] == "http" else None
    caller = parts.tokens.caller(token) if token else None
    return caller.name if caller else None
