"""What a process tree uses, as the kernel tells it: memory, processor time, and how many processors it may use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
CGROUP = Path("/sys/fs/cgroup")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_seconds` counts the processes and all children they have waited for, since each began."""

    memory_bytes: int
    cpu_seconds: float


def usage(pids: Iterable[int]) -> Usage:
    """Of processes that have forked from each other: memory that they share counts once. Gone ones count nothing."""
    found = list(pids)
    return Usage(sum(map(memory_bytes, found)), sum(map(cpu_seconds, found)))


def memory_bytes(pid: int) -> int:
    """Its proportional share (PSS), or what is resident where the kernel does not tell; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def cpu_seconds(pid: int) -> float:
    """Its own and that of children it has waited for; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    except (OSError, ValueError):
        return 0.0


def processors(cgroup: Path = CGROUP) -> float:
    """How many this process may keep busy: its container's quota, or the processors it may run on."""
    mine = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return min(mine, int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup v2, or `max`: no quota
        return mine
