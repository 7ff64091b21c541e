"""`Rate limit exceeded`, not once a request: one line per rule and identity in a while, and so many a second in all."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from headgate.model.documents import HttpRule

AGAIN_SECONDS = 10.0
PER_SECOND = 20
_KEPT = 4_096
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")

logger = logging.getLogger("headgate.gate")


@dataclass(slots=True)
class _Line:
    at: float
    hidden: int = 0


class RefusalLog:
    """`hidden` on a line: refusals of the same rule and identity since its last line; `unseen`: of all others."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], _Line] = {}
        self._second, self._written, self._unseen = 0, 0, 0

    def refused(self, surface: str, rule: HttpRule, identity: str, gate: str, retry_after: int, now: float) -> None:
        """`now` in seconds of the event loop's clock."""
        key = (rule.name, identity)
        line = self._lines.get(key)
        if line is not None and now - line.at < AGAIN_SECONDS:
            line.hidden += 1
            return
        if int(now) != self._second:
            self._second, self._written = int(now), 0
        if self._written >= PER_SECOND:
            self._unseen += 1
            return
        self._written += 1
        if len(self._lines) >= _KEPT:
            self._lines.clear()
        self._lines[key] = _Line(now)
        limit = rule.rate.limit if rule.rate else rule.in_flight or 0
        logger.warning(
            "Rate limit exceeded surface=%s rule=%s gate=%s identity=%s limit=%d retry_after=%d hidden=%d unseen=%d",
            plain(surface), plain(rule.name), plain(gate), identity, limit, retry_after,
            line.hidden if line else 0, self._unseen,
        )  # fmt: skip
        self._unseen = 0


def plain(text: str) -> str:
    """A word as it is; anything else quoted, so that no name can write a line of its own."""
    return text if _PLAIN.fullmatch(text) else ascii(text)
