"""One run of one granted job, from its grant to its ending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.gates.verbs import Grant, Holding
from headgate_worker.rules import Rules


@dataclass(slots=True)
class Run:
    """`began` is epoch seconds, `began_ns` CLOCK_MONOTONIC; `job` a `LazyJob` once the payload is being read."""

    grant: Grant
    rules: Rules
    began: float
    began_ns: int
    job: Any
    function: str = "-"
    value: Any = None
    seconds: float = 0.0

    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self.began, UTC)

    def holding(self, queue: str, slot: str) -> Holding:
        grant = self.grant
        return Holding(queue, slot, grant.job_id, grant.execution, grant.fence, grant.places)
