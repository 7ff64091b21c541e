"""Remembers what was said lately, so that a loop that finds the same thing again does not say it again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

WINDOW_SECONDS = 600.0
REMEMBERED = 4096


class Repeats:
    """At most `REMEMBERED` sayings, each for `WINDOW_SECONDS`; the oldest goes first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: OrderedDict[Hashable, float] = OrderedDict()

    def is_new(self, saying: Hashable) -> bool:
        """True once a window for each saying; asking is saying."""
        now = self._now()
        said = self._said.get(saying)
        if said is not None and now - said < WINDOW_SECONDS:
            return False
        self._said[saying] = now
        self._said.move_to_end(saying)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        return True
