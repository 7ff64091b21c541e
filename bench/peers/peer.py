"""What the harness asks of a system it measures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.processes import tree

if TYPE_CHECKING:
    from bench.harness.cell import Load
    from bench.harness.ledger import Ledger
    from tests.processes.store import Store

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 10.0


class Running:
    """The worker processes of one cell, each the root of a tree, with their output in one log."""

    def __init__(self, commands: Sequence[Sequence[str]], env: Mapping[str, str], folder: Path) -> None:
        self.log = folder / "worker.log"
        full = {**os.environ, **env, "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self.processes = [
                subprocess.Popen(command, env=full, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
                for command in commands
            ]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def check(self) -> None:
        """Raise when a worker ended by itself."""
        for process in self.processes:
            if process.poll() is not None:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"a worker ended with code {process.returncode}:\n{tail}")

    def stop(self) -> None:
        """TERM, then KILL to what is left of the trees."""
        members = [pid for process in self.processes for pid in tree.members(process.pid)]
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                tree.end(process.pid)
                process.wait()
        for pid in members:
            tree.end(pid)


class Peer(Protocol):
    """A system with its settings. One filled store serves all peers of a `format`."""

    name: str
    format: str

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        """Enqueue jobs number 0 to load.total - 1."""

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        """Start the workers."""

    def unfinished(self, store: Store, load: Load) -> str:
        """By the system's own books: empty when every job has ended and each once, else what is missing."""


def environment(store: Store, ledger: Ledger) -> dict[str, str]:
    """Where the jobs find the ledger and the store."""
    return {"BENCH_LEDGER": str(ledger.path), "BENCH_STORE_URL": store.url, "PYTHONHASHSEED": "0"}


def python(code: str, store: Store, ledger: Ledger, *arguments: str) -> None:
    """Run `code` in a process with the jobs' environment, for fillers that import the peer's application."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment(store, ledger)}
    subprocess.run([sys.executable, "-c", code, *arguments], env=env, cwd=ROOT, check=True)
