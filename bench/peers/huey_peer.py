"""Huey: one consumer with `processes` worker processes, no periodic tasks. It pops: a kill loses the job."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers.peer import Running, environment, python

if TYPE_CHECKING:
    from bench.harness.cell import Load
    from bench.harness.ledger import Ledger
    from tests.processes.store import Store

FILL = """
import sys
from bench.apps import huey_app
task = getattr(huey_app, sys.argv[1])
for number in range(int(sys.argv[2])):
    task(number)
"""
RUN = "import sys; from huey.bin.huey_consumer import consumer_main; sys.argv[0] = 'huey'; sys.exit(consumer_main())"


@dataclass(frozen=True)
class Huey:
    processes: int
    format: str = "huey"

    @property
    def name(self) -> str:
        return f"Huey x{self.processes}"

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        python(FILL, store, ledger, load.kind, str(load.total))

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        options = ["-k", "process", "-w", str(self.processes), "--no-periodic", "--quiet"]
        command = [sys.executable, "-c", RUN, "bench.apps.huey_app.huey", *options]
        return Running([command], environment(store, ledger), folder)

    def unfinished(self, store: Store, load: Load) -> str:
        with store.client() as client:
            left = client.llen("huey.redis.bench")
        return f"{left} queued" if left else ""
