"""The machine's clock, for all that is passed one."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """`control.ports.Clock`."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def milliseconds(self) -> int:
        """Since the epoch."""
        return time.time_ns() // 1_000_000
