"""Refusals as RFC 9457 problem documents. They name rules, never the caller and never the path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from headgate_api.gate.headers import NO_STORE, Header

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


def _refusal(status: int, kind: str, title: str, detail: str, more: Sequence[Header], **members: object) -> Refusal:
    content = {"type": kind, "title": title, "status": status, "detail": detail, **members}
    headers = ((b"content-type", b"application/problem+json"), NO_STORE, *more)
    return Refusal(status, headers, json.dumps(content, separators=(",", ":")).encode())


def _retry(seconds: int) -> Header:
    return b"retry-after", b"%d" % seconds


def quota_exceeded(rule: str, retry_after: int, limits: Sequence[Header]) -> Refusal:
    detail = f"Too many requests: try again in {retry_after} seconds."
    headers = (_retry(retry_after), *limits)
    kind = _TYPES + "quota-exceeded"
    return _refusal(429, kind, "Request quota exceeded", detail, headers, **{"violated-policies": [rule]})


def reduced_capacity(rule: str | None, retry_after: int, limits: Sequence[Header] = ()) -> Refusal:
    """As much as may run does run, or nobody can say whether one more may."""
    detail = f"No capacity for this request now: try again in {retry_after} seconds."
    members = {} if rule is None else {"violated-policies": [rule]}
    kind = _TYPES + "temporary-reduced-capacity"
    return _refusal(503, kind, "Temporarily reduced capacity", detail, (_retry(retry_after), *limits), **members)


def timed_out(seconds: int) -> Refusal:
    return _refusal(504, "about:blank", "Gateway Timeout", f"No answer within {seconds} seconds.", ())


def too_large(limit: int) -> Refusal:
    closing = ((b"connection", b"close"),)
    return _refusal(413, "about:blank", "Content Too Large", f"A body may have at most {limit} bytes.", closing)
