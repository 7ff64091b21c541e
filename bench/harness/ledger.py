"""How often each job ran: one byte a job in a shared file, which any process can count without asking the store.

This is the validity check of every throughput cell: each job exactly once. It costs a no-op job under 1 us, in all
systems alike, and the harness reads it to see the first and the last job without touching what it measures.
"""

from __future__ import annotations

import mmap
from pathlib import Path

PATH_VARIABLE = "BENCH_LEDGER"


class Ledger:
    """The harness's view of the file, which it makes: `jobs` bytes of 0."""

    def __init__(self, path: Path, jobs: int) -> None:
        path.write_bytes(bytes(jobs))
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), jobs)

    def count(self) -> int:
        """How many jobs ran at least once."""
        return len(self._map) - self._map[:].count(0)

    def violations(self) -> str:
        """Empty when each job ran exactly once, else what is wrong."""
        ran = self._map[:]
        lost, twice = ran.count(0), sum(byte > 1 for byte in ran)
        return f"{lost} never ran, {twice} ran more than once" if lost or twice else ""
