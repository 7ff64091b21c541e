"""For the code of jobs: `RateLimited` to wait for a provider, `current_fence` to be refused by one."""

from __future__ import annotations

_fence = 0


class RateLimited(Exception):
    """Raise it in a job when a provider says 429: the job goes back to the front of its queue, no attempt is used.

    For `retry_after` seconds nothing of `scope` starts: `queue` (this queue), `key` (jobs with this job's key) or
    `budget/<name>` (every queue that shares the budget).
    """

    def __init__(self, retry_after: float, scope: str = "queue") -> None:
        if retry_after < 0:
            raise ValueError(f"retry_after={retry_after!r}: seconds cannot be negative")
        if scope not in ("queue", "key") and not scope.startswith("budget/"):
            raise ValueError(f"scope={scope!r}: queue, key or budget/<name>")
        super().__init__(f"rate limited for {retry_after:g} s ({scope})")
        self.retry_after = retry_after
        self.scope = scope


def current_fence() -> int:
    """The running job's fence: it grows with every grant, so your own store can refuse older ones. 0 outside a job."""
    return _fence


def set_fence(fence: int) -> None:
    """Called by the slot before and after a job."""
    global _fence
    _fence = fence
