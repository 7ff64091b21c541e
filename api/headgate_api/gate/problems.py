"""Refusals as RFC 9457 problem documents. They name rules, never the caller and never the path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from headgate_api.gate.headers import NO_STORE, Header

_TYPE: Header = (b"content-type", b"application/problem+json")
_SECONDS = "<seconds>"
"""Replaced where it first stands: in `detail`, before any name."""
_TYPES = "https://iana.org/assignments/http-problem-types#"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole answer: status, headers without Content-Length, body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def start(self, more: Sequence[Header] = ()) -> dict[str, object]:
        length = (b"content-length", b"%d" % len(self.body))
        return {"type": "http.response.start", "status": self.status, "headers": [*self.headers, length, *more]}


def _document(status: int, kind: str, title: str, detail: str, **members: object) -> bytes:
    content = {"type": kind, "title": title, "status": status, "detail": detail, **members}
    return json.dumps(content, separators=(",", ":")).encode()


def _headers(*more: Header) -> tuple[Header, ...]:
    return _TYPE, NO_STORE, *more


@lru_cache(1024)
def _template(status: int, kind: str, title: str, detail: str, rule: str | None) -> bytes:
    """A document in which `%d` stands for the seconds: refusals must be cheap, there are many."""
    members = {} if rule is None else {"violated-policies": [rule]}
    document = _document(status, _TYPES + kind, title, f"{detail}: try again in {_SECONDS} seconds.", **members)
    return document.replace(b"%", b"%%").replace(_SECONDS.encode(), b"%d", 1)


def _later(template: bytes, status: int, seconds: int, limits: Sequence[Header]) -> Refusal:
    return Refusal(status, _headers((b"retry-after", b"%d" % seconds), *limits), template % seconds)


def quota_exceeded(rule: str, retry_after: int, limits: Sequence[Header]) -> Refusal:
    template = _template(429, "quota-exceeded", "Request quota exceeded", "Too many requests", rule)
    return _later(template, 429, retry_after, limits)


def reduced_capacity(rule: str | None, retry_after: int, limits: Sequence[Header] = ()) -> Refusal:
    """As much as may run does run, or nobody can say whether one more may."""
    kind, detail = "temporary-reduced-capacity", "No capacity for this request now"
    return _later(_template(503, kind, "Temporarily reduced capacity", detail, rule), 503, retry_after, limits)


def timed_out(seconds: int) -> Refusal:
    detail = f"No answer within {seconds} seconds."
    return Refusal(504, _headers(), _document(504, "about:blank", "Gateway Timeout", detail))


def too_large(limit: int) -> Refusal:
    detail = f"A body may have at most {limit} bytes."
    closing = (b"connection", b"close")
    return Refusal(413, _headers(closing), _document(413, "about:blank", "Content Too Large", detail))
