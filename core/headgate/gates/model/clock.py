"""The reference's time: it moves only when it is told to."""

from __future__ import annotations


class Clock:
    """Microseconds since the epoch, as the store's `TIME` would answer."""

    def __init__(self, us: int = 4_102_444_800_000_000) -> None:
        self.us = us

    @property
    def now(self) -> int:
        """Milliseconds."""
        return self.us // 1000

    def advance(self, ms: float) -> None:
        """Forwards, or back when `ms` is negative."""
        self.us += round(ms * 1000)
