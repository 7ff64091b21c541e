"""RQ's job timeout, with its exception and its message, from one alarm and one handler for the life of a slot."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.getsignal makes an enum of every handler, once a job
import signal
import time
from types import FrameType

from rq.timeouts import JobTimeoutException

DEFAULT_TIMEOUT_SECONDS = 180
"""`rq.Queue.DEFAULT_TIMEOUT`: for jobs without a timeout of their own."""
KILL_GRACE_SECONDS = 60
"""RQ's own: a job that ignores its JobTimeoutException this long is killed."""
DEADLINE_GRACE_SECONDS = 5
"""How long a job may outlive jobs.deadlineSeconds before it is killed."""

MOST_KNOWN = 1000
SECOND = 1_000_000_000
_SIGALRM = int(signal.SIGALRM)


class Times:
    """What a stored timeout means under one deadline; the same few timeouts come again and again."""

    def __init__(self, deadline_seconds: int) -> None:
        self._deadline = deadline_seconds
        self._known: dict[bytes | None, tuple[int, int, int]] = {}

    def of(self, stored: bytes | None) -> tuple[int, int, int]:
        """(seconds until JobTimeoutException, the same in nanoseconds, nanoseconds until the supervisor kills)."""
        known = self._known.get(stored)
        if known is None:
            seconds = effective_timeout(stored, self._deadline)
            known = seconds, seconds * SECOND, kill_after(seconds, self._deadline) * SECOND
            if len(self._known) < MOST_KNOWN:
                self._known[stored] = known
        return known


class Alarm:
    """`arm` before a job, `disarm` after it. No system call a job: an alarm still to ring serves the next too.

    It rings when the first of them would have been too long; with nothing due it does nothing, early it is set again.
    The supervisor sends SIGALRM again when a job outlives its timeout, for code that uses the alarm for itself.
    """

    def __init__(self) -> None:
        self._due_ns = 0
        self._rings_ns = 0  # when the alarm that was set last rings, 0 when none is set
        self._seconds = 0
        self._handler = self._rang  # one object, so that identity tells whether it is still in place
        signal.signal(signal.SIGALRM, self._handler)

    def arm(self, seconds: int, now_ns: int) -> None:
        """`seconds` <= 0: no timeout."""
        if _signal.getsignal(_SIGALRM) is not self._handler:
            signal.signal(signal.SIGALRM, self._handler)
            self._rings_ns = 0
        if seconds > 0:
            self._seconds = seconds
            self._due_ns = due = now_ns + seconds * SECOND
            if not now_ns < self._rings_ns <= due:
                self._rings_ns = due
                signal.alarm(seconds)

    def disarm(self) -> None:
        self._due_ns = 0

    def silence(self) -> None:
        """Before waiting or RQ's own code: no alarm is left behind."""
        self._due_ns = self._rings_ns = 0
        signal.alarm(0)

    def _rang(self, _signum: int, _frame: FrameType | None) -> None:
        self._rings_ns = 0
        left = self._due_ns - time.monotonic_ns()
        if not self._due_ns:
            return
        if left > 0:
            self._rings_ns = self._due_ns
            signal.setitimer(signal.ITIMER_REAL, left / SECOND)
            return
        self._due_ns = 0
        raise JobTimeoutException(f"Task exceeded maximum timeout value ({self._seconds} seconds)")


def effective_timeout(job_timeout: bytes | None, deadline_seconds: int) -> int:
    """Seconds until JobTimeoutException: the job's own (RQ's default if it has none), at most the deadline."""
    seconds = int(float(job_timeout)) if job_timeout else DEFAULT_TIMEOUT_SECONDS
    if seconds == 0:
        seconds = DEFAULT_TIMEOUT_SECONDS
    return deadline_seconds if seconds < 0 else min(seconds, deadline_seconds)


def kill_after(timeout: int, deadline_seconds: int) -> int:
    """Seconds until the supervisor kills: RQ's grace after the timeout, but soon after the deadline."""
    return min(timeout + KILL_GRACE_SECONDS, max(deadline_seconds, timeout) + DEADLINE_GRACE_SECONDS)
