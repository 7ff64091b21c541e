"""What a run does, seen from outside: a function in a process of its own, or a job of a queue."""

from __future__ import annotations

from typing import Protocol


class Work(Protocol):
    """`poll` waits a moment. `failure` says in a word or two why it did not succeed."""

    failure: str

    def poll(self, seconds: float) -> bool | None:
        """True: it succeeded; False: it failed; None: it goes on after so many seconds."""

    def stop(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Make sure that nothing of it runs any more; no more time is given."""
