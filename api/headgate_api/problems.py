"""Every error is an RFC 9457 problem document. It never repeats what the caller sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from headgate.errors import HeadgateError, StoreFull, StoreUnavailable
from headgate_api.gate.headers import retry_after

MEDIA = "application/problem+json"
STORE_RETRY_MS = 2_000
_MOST_ERRORS = 20

logger = logging.getLogger("headgate.api")


class Mistake(BaseModel):
    """One thing that is wrong in the request. `pointer`: where, `body/args` or `path/queue`."""

    pointer: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457. `type` is about:blank: the status says what sort of problem it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "…"}]}
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Mistake] = Field(default_factory=list)


class Problem(Exception):
    """Raise it in a route: the answer with that status, one sentence, and more headers."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def too_soon(status: int, detail: str, retry_ms: int) -> Problem:
    return Problem(status, detail, {"Retry-After": str(retry_after(retry_ms))})


def response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Sequence[Mistake] = ()
) -> Response:
    document = ProblemDocument(title=_title(status), status=status, detail=detail, errors=list(errors))
    content = document.model_dump(exclude=set() if errors else {"errors"})
    text = json.dumps(content, ensure_ascii=True)
    return Response(text, status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA)


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these."""
    return {
        status: {
            "description": _title(status),
            "model": ProblemDocument,
            "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            **({"headers": _RETRY} if status in (429, 503) else {}),
            **({"headers": _CHALLENGE} if status == 401 else {}),
        }
        for status in statuses
    }


_RETRY = {"Retry-After": {"description": "Seconds until it is worth another try.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Problem"


def install(app: FastAPI) -> None:
    """Answer every error of this application so."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(StoreUnavailable, _store)
    app.add_exception_handler(HeadgateError, _headgate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for it
    return response(error.status, error.detail, error.headers)


async def _store(_request: Request, error: Exception) -> Response:
    full = isinstance(error, StoreFull)
    detail = "The store is full: it takes nothing new." if full else "The store does not answer."
    logger.warning("Store trouble: %s", error)
    return response(503, detail, {"Retry-After": str(retry_after(STORE_RETRY_MS))})


async def _headgate(_request: Request, error: Exception) -> Response:
    return response(400, str(error))


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    details = {404: "There is nothing at this path.", 405: "This path does not know that method."}
    return response(error.status_code, details.get(error.status_code, str(error.detail)), error.headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()
    errors = [Mistake(pointer="/".join(_plain(part) for part in one["loc"]), detail=one["msg"]) for one in found]
    if any(one["type"] == "json_invalid" for one in found):
        return response(400, "The body is not JSON.")
    first = errors[0] if errors else Mistake(pointer="request", detail="not valid")
    return response(422, f"{first.pointer}: {first.detail}", errors=errors[:_MOST_ERRORS])


def _plain(part: object) -> str:
    """A field's name may be the caller's own invention."""
    return ascii(str(part)[:64])[1:-1]


async def _bug(_request: Request, error: Exception) -> Response:
    logger.error("Broke", exc_info=error)
    return response(500, "The service broke; its log says where.")
