"""What the kernel does for us: children that die with their parent, orphans that come to us, process groups."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NAME = 15
ADOPTED = False


def adopt_orphans() -> bool:
    """Make this process the parent of orphaned descendants, so that it can wait for slots which the template forked.

    False where the kernel cannot (not Linux): then a slot's death is seen by its closed channel, without exit status.
    """
    global ADOPTED
    ADOPTED = _prctl(PR_SET_CHILD_SUBREAPER, 1)
    return ADOPTED


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when its parent ends, now if `parent` is gone already."""
    if _prctl(PR_SET_PDEATHSIG, signal.SIGKILL) and os.getppid() != parent:
        os._exit(0)


def kill_group(pid: int, signum: int = signal.SIGKILL) -> None:
    """Signal the process group that `pid` leads, and the process itself while it has not made its group yet."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, signum)


def name_process(name: str) -> None:
    """What `ps -o comm` shows: 15 letters at most."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def describe_exit(status: int | None) -> str:
    """A wait status in words: `signal 9 (SIGKILL)`, `exit code 3`."""
    if status is None:
        return "unknown exit status"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"signal {number} ({signal.Signals(number).name})"
        except ValueError:
            return f"signal {number}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"


def rss_bytes(pid: int) -> int:
    """Resident memory of a process, 0 when it is gone or the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def private_bytes(pid: int) -> int:
    """Memory that only this process has (private clean + dirty), 0 when the kernel does not tell."""
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Private_"):
                    total += int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return total


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0)
