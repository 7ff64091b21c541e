"""taskiq with uvloop: `streams` acknowledges each job as we do, `lists` pops it. Results are off, its default."""

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
import asyncio, sys
from bench.apps import taskiq_app
async def main():
    broker = getattr(taskiq_app, sys.argv[1])
    task = taskiq_app.TASKS[broker][sys.argv[2]]
    await broker.startup()
    for first in range(0, int(sys.argv[3]), 500):
        await asyncio.gather(*(task.kiq(n) for n in range(first, min(first + 500, int(sys.argv[3])))))
    await broker.shutdown()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Taskiq:
    broker: str
    processes: int

    @property
    def name(self) -> str:
        return f"taskiq {self.broker} x{self.processes}"

    @property
    def format(self) -> str:
        return f"taskiq-{self.broker}"

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        python(FILL, store, ledger, self.broker, load.kind, str(load.total))

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        options = ["--workers", str(self.processes), "--log-level", "WARNING"]
        command = [sys.executable, "-m", "taskiq", "worker", f"bench.apps.taskiq_app:{self.broker}", *options]
        return Running([command], environment(store, ledger), folder)

    def unfinished(self, store: Store, load: Load) -> str:
        with store.client() as client:
            if self.broker == "lists":
                left = client.llen("taskiq")
                return f"{left} queued" if left else ""
            group = client.xinfo_groups("taskiq")[0]
        left = int(group["pending"]) + int(group["lag"] or 0)
        return f"{left} not acknowledged" if left else ""
