"""SIGTERM and SIGINT as a flag: a run is stopped between two steps, never in the middle of a call to the store."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Stopping:
    """Make it in the main thread."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def sleep(self, seconds: float) -> None:
        """Shorter when somebody asks to stop."""
        end = time.monotonic() + seconds
        while not self.asked and time.monotonic() < end:
            time.sleep(min(0.1, max(0.0, end - time.monotonic())))

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
