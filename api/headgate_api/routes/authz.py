"""For proxies: may this request start, and how did it end. Their configurations are in docs/http.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Query as Parameter
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field

from headgate.gates.door import Door
from headgate_api import adapters
from headgate_api.adapters import Original, Sort
from headgate_api.auth import permit
from headgate_api.gate.problems import Refusal
from headgate_api.parts import Parts, PartsOf
from headgate_api.problems import Problem, declared
from headgate_api.settings import SURFACE
from headgate_api.tokens import Caller, Scope

router = APIRouter(tags=["proxies"])
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
REPORTED_SECONDS = 3_700
"""Longer than any request may take."""
token_header = APIKeyHeader(
    name="X-Headgate-Token",
    auto_error=False,
    description="A token with scope proxy.",
)


def proxy(request: Request, parts: PartsOf, token: Annotated[str | None, Depends(token_header)] = None) -> Caller:
    return permit(parts.tokens.caller(token) if token else None, Scope.PROXY, request)


FromProxy = Annotated[Caller, Depends(proxy)]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "It may start. RateLimit headers; X-Headgate-Report where its end is to be reported."},
    **declared(400, 401, 403, 422, 429, 503),
}


@router.get("/authz/{surface}", summary="May this request start?", responses=ANSWERS, response_class=Response)
async def check(
    surface: str,
    request: Request,
    parts: PartsOf,
    _caller: FromProxy,
    proxy: Annotated[Sort, Parameter(description="Whose headers these are. Envoy appends the path instead.")],
    reports: Annotated[bool, Parameter(description="Somebody will tell at /report how the request ended.")] = False,
) -> Response:
    """200, or the refusal as that proxy understands it: nginx 403 with X-RL-Status; others 429 or 503."""
    if proxy is Sort.ENVOY:
        raise Problem(400, "Envoy appends the request's path to this one: set path_prefix.")
    asked = replace(adapters.original(proxy, _joined(request), request.method, ""), reports=reports)
    return await _answer(parts, surface, proxy, asked, request)


router.add_api_route("/authz/{surface}", check, methods=METHODS[1:], include_in_schema=False, response_class=Response)


@router.api_route("/authz/{surface}/{path:path}", methods=METHODS, include_in_schema=False, response_class=Response)
async def check_envoy(surface: str, request: Request, parts: PartsOf, _caller: FromProxy) -> Response:
    """Envoy's HTTP ext_authz: method, Host and path are the request's own."""
    raw = request.scope["raw_path"].decode("latin-1")
    suffix = raw[raw.index("/", raw.index("authz/") + len("authz/")) :]
    asked = adapters.original(Sort.ENVOY, _joined(request), request.method, suffix)
    return await _answer(parts, surface, Sort.ENVOY, asked, request)


async def _answer(parts: Parts, surface: str, sort: Sort, asked: Original, request: Request) -> Response:
    if not SURFACE.fullmatch(surface):
        raise Problem(400, "A surface is named by lower case letters, digits and dashes.")
    checked = await parts.proxies.check(surface, asked, request.headers.raw)
    ruling = checked.ruling
    if ruling is not None and ruling.refusal is not None:
        return _refused(sort, ruling.refusal)
    response = Response(status_code=200, headers={"Cache-Control": "no-store"})
    if ruling is not None:
        response.raw_headers.extend(ruling.headers)
    if checked.report:
        response.headers["X-Headgate-Report"] = checked.report
    return response


def _refused(sort: Sort, refusal: Refusal) -> Response:
    response = Response(refusal.body, adapters.status_for(sort, refusal.status))
    response.raw_headers.extend(refusal.headers)
    response.headers["X-RL-Status"] = str(refusal.status)
    return response


def _joined(request: Request) -> dict[str, str]:
    """Header lines of one name joined in their order; names with `_` are not the proxy's."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


class Report(BaseModel):
    """How a request ended: `id` from X-Headgate-Report, the status that the client was answered with."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=8_192)]
    status: Annotated[int, Field(ge=100, le=599)]


class Settled(BaseModel):
    settled: int = Field(description="Places given back and starts refunded.")


@router.post("/report", summary="How a request ended", responses=declared(400, 401, 403, 404, 409, 413, 422, 429, 503))
async def report(body: Report, parts: PartsOf, _caller: FromProxy) -> Settled:
    """Each id is taken once. What is never reported counts as failed, and its places come free at its deadline."""

    async def taken(digest: str) -> bool:
        def mark(door: Door) -> bool:
            return door.command("SET", door.keys.report(digest), 1, "NX", "EX", REPORTED_SECONDS) is not None

        return await parts.doors.do(mark)

    return Settled(settled=await parts.proxies.settle(body.id, body.status >= 400, taken))
