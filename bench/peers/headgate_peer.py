"""Headgate: one worker of `slots` processes, with every gate on but none that binds, or with no gate at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import rq_format
from bench.peers.peer import Running, environment
from headgate.model.documents import BudgetDocument, BudgetShare, Document, QueueDocument, RateDocument
from tests.processes import worker

if TYPE_CHECKING:
    from bench.harness.cell import Load
    from bench.harness.ledger import Ledger
    from tests.processes.store import Store

LOOSE = RateDocument(limit=10_000, period_ms=100)
"""100,000 a second, by the longest exact ring that a resource can ask for: it costs all it can and never refuses."""
BUDGET = "bench/provider"


def documents(slots: int, gates: bool) -> list[Document]:
    if not gates:
        return [QueueDocument(queue=rq_format.QUEUE, per_worker=slots, rate_per_worker=None)]
    queue = QueueDocument(
        queue=rq_format.QUEUE,
        per_worker=slots,
        total=1_000,
        rate_total=LOOSE,
        rate_per_worker=LOOSE,
        budgets=(BudgetShare(name=BUDGET),),
    )
    return [BudgetDocument(name=BUDGET, total=1_000, rate=LOOSE), queue]


@dataclass(frozen=True)
class Headgate:
    slots: int
    gates: bool = True
    format: str = "rq"

    @property
    def name(self) -> str:
        return f"Headgate x{self.slots}{'' if self.gates else ', gates off'}"

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        rq_format.fill(store, f"bench.apps.jobs.{load.kind}", range(load.total))

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        worker.publish(store.url, *documents(self.slots, self.gates))
        more = {"HEADGATE_PRELOAD": "bench.apps.jobs", "HEADGATE_LOG_LEVEL": "error", **environment(store, ledger)}
        return Running([[str(worker.WORKER)]], worker.environment(store.url, rq_format.QUEUE, more=more), folder)

    def unfinished(self, store: Store, load: Load) -> str:
        return rq_format.unfinished(store, load.total)
