"""RQ's own workers, one `rq worker` a process: the forking Worker and SimpleWorker, quiet."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import rq_format
from bench.peers.peer import Running, environment

if TYPE_CHECKING:
    from bench.harness.cell import Load
    from bench.harness.ledger import Ledger
    from tests.processes.store import Store


@dataclass(frozen=True)
class RqWorkers:
    """`worker_class` is Worker (a fork a job) or SimpleWorker; `processes` of them."""

    worker_class: str
    processes: int
    format: str = "rq"

    @property
    def name(self) -> str:
        return f"RQ {self.worker_class} x{self.processes}"

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        rq_format.fill(store, f"bench.apps.jobs.{load.kind}", range(load.total))

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        command = [sys.executable, "-m", "rq.cli", "worker", rq_format.QUEUE, "--url", store.url, "--quiet"]
        command += ["--worker-class", f"rq.{self.worker_class}", "--disable-job-desc-logging"]
        return Running([command] * self.processes, environment(store, ledger), folder)

    def unfinished(self, store: Store, load: Load) -> str:
        return rq_format.unfinished(store, load.total)
