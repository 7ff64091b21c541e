"""A concurrency gate: who holds a place and until when (ms). A lapsed holder no longer counts; reap takes it out."""

from __future__ import annotations

MARK = "!"
"""Ends the holder that keeps a lost execution's place while RQ's failure code runs."""


class Leases:
    """Holder -> lease end. An execution in its queue is `<job>:<execution>`."""

    __slots__ = ("ends",)

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}

    def __contains__(self, holder: str) -> bool:
        return holder in self.ends

    def live(self, now: int) -> int:
        return sum(end > now for end in self.ends.values())

    def is_live(self, holder: str, now: int) -> bool:
        return self.ends.get(holder, 0) > now

    def lapsed(self, now: int) -> list[str]:
        """In the order of their ends, then by name."""
        return [holder for end, holder in sorted((end, holder) for holder, end in self.ends.items()) if end <= now]

    def first_end(self, now: int) -> int:
        """The earliest end of a live lease."""
        return min(end for end in self.ends.values() if end > now)

    def take(self, holder: str, end: int) -> None:
        self.ends[holder] = end

    def extend(self, holder: str, end: int) -> None:
        """Never shortens: a sealed execution keeps its seal."""
        self.ends[holder] = max(end, self.ends.get(holder, 0))

    def end_by(self, latest: int) -> None:
        self.ends = {holder: min(end, latest) for holder, end in self.ends.items()}

    def drop(self, holder: str) -> bool:
        return self.ends.pop(holder, None) is not None
