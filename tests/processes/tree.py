"""What a tree of processes is and uses, read from /proc."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

TICK = os.sysconf("SC_CLK_TCK")
AFTER_THE_NAME = 2
"""/proc/<pid>/stat: the name may hold spaces, so fields are counted from behind its closing bracket, field 3 first."""


def members(root: int) -> list[int]:
    """`root` and everything below it that is alive."""
    try:
        process = psutil.Process(root)
        return [root, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(roots: Iterable[int]) -> float:
    """Processor time of the trees so far, children that have ended included (those only where their parent waited)."""
    return sum(_own(pid) + _reaped(pid) for root in roots for pid in members(root))


def _own(pid: int) -> float:
    """From the scheduler, in nanoseconds there: clock ticks are too coarse for a second's measurement."""
    total = 0
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def _reaped(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[15 - AFTER_THE_NAME]) + int(fields[16 - AFTER_THE_NAME])) / TICK
    return 0.0


def memory(pid: int) -> dict[str, int]:
    """Bytes of one process: `private` (its own pages alone), `pss` (shared ones divided by their sharers) and `rss`."""
    names = {"Private_Clean": "private", "Private_Dirty": "private", "Pss": "pss", "Rss": "rss"}
    found = {"private": 0, "pss": 0, "rss": 0}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in names:
                found[names[name]] += int(rest.split()[0]) * 1024
    return found


def pss(roots: Iterable[int]) -> int:
    """Bytes that the trees hold together, each shared page counted once."""
    return sum(memory(pid)["pss"] for root in roots for pid in members(root))


def freeze(root: int) -> list[int]:
    """SIGSTOP `root` and everything below it, and answer who that is: nobody comes or goes until they are killed."""
    frozen: list[int] = []
    while new := [pid for pid in members(root) if pid not in frozen]:
        for pid in new:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        frozen += new
    return frozen


def alive(pid: int) -> bool:
    """Whether it can still do anything: one whose parent has not waited for it cannot."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def end(pid: int) -> None:
    """SIGKILL the process and everything below it."""
    for member in reversed(members(pid)):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
