"""The page's session: the viewer's own token in a cookie that scripts cannot read and other sites cannot send.

Nothing is kept here, so every replica knows every session, and a token taken out of the file ends its sessions. What
changes something needs the header `X-Headgate-Page` too, which no form can send and no other site without a preflight.
"""

from __future__ import annotations

from fastapi import Request, Response
from starlette.requests import HTTPConnection
from starlette.types import Scope

COOKIE = "headgate_session"
PAGE_HEADER = "x-headgate-page"
LIVES_SECONDS = 12 * 3600
_SAFE = ("GET", "HEAD", "OPTIONS")


def presented(request: Request) -> str | None:
    """The token of the session, where it counts for this request."""
    if request.method not in _SAFE and PAGE_HEADER not in request.headers:
        return None
    return of_cookies(request.scope)


def of_cookies(scope: Scope) -> str | None:
    """The token of the session, for who only wants to know who it is."""
    return HTTPConnection(scope).cookies.get(COOKIE) or None


def begin(request: Request, response: Response, token: str) -> None:
    """`Secure` where the page came over HTTPS; on localhost it may come without."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=LIVES_SECONDS,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
        httponly=True,
        samesite="strict",
    )


def end(request: Request, response: Response) -> None:
    response.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/", httponly=True, samesite="strict")
