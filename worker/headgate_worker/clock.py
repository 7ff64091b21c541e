"""RQ's timestamps, fast: the second is formatted once a second."""

from __future__ import annotations

import time
from datetime import datetime


class Stamps:
    """Instants (epoch seconds) as RQ writes them."""

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def pair(self, now: float) -> tuple[bytes, bytes]:
        """`rq.utils.utcformat` of that instant, and its epoch seconds with the same six digits."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        micros = int((now - second) * 1_000_000)
        return b"%b.%06dZ" % (self._text, micros), b"%d.%06d" % (second, micros)


class Readings:
    """RQ's timestamps as epoch seconds; jobs that come one after the other were mostly enqueued in the same second."""

    def __init__(self) -> None:
        self._start = b""
        self._second = 0.0

    def of(self, text: bytes) -> float | None:
        """None when it is no timestamp of RQ's."""
        start, rest = text[:19], text[20:26]
        if len(text) != 27 or not rest.isdigit():
            return parse_iso(text)
        if start != self._start:
            second = parse_iso(start + b"Z")
            if second is None:
                return None
            self._start, self._second = start, second
        return self._second + int(rest) / 1_000_000


def parse_iso(text: bytes) -> float | None:
    """Epoch seconds of one of RQ's timestamps, None when it is not one."""
    try:
        return datetime.fromisoformat(text.decode("ascii")).timestamp()
    except ValueError:
        return None
