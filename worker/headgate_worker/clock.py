"""RQ's timestamps, fast: the second is formatted once a second."""

from __future__ import annotations

import time
from datetime import datetime


class Stamps:
    """`iso(seconds)` equals `rq.utils.utcformat` of the same instant."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def iso(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._text}{int((now - second) * 1_000_000):06d}Z"


def parse_iso(text: bytes) -> float | None:
    """Epoch seconds of one of RQ's timestamps, None when it is not one."""
    try:
        return datetime.fromisoformat(text.decode("ascii")).timestamp()
    except ValueError:
        return None
