"""Why a queue does not start more jobs: the gate that holds it, who holds that gate, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headgate.gates.verbs import Blocker, GateState, QueueState, StoreState
from headgate.model.documents import QueueDocument
from headgate.words import duration

CURES: Mapping[str, str] = {
    Blocker.STOP: "its stopPolicy, or `rq suspend`, until a person lifts it",
    Blocker.QUARANTINE: "the store lost data or its clock, so running jobs announce themselves first",
    Blocker.CONCURRENCY_TOTAL: "until a running job of this queue ends",
    Blocker.CONCURRENCY_PER_KEY: "every waiting key is full, until a job of such a key ends",
    Blocker.RATE_PER_KEY: "every waiting key has started all it may for now",
    Blocker.DEFERRED: "a job said RateLimited",
    Blocker.MEMORY: "every worker is above workers.memory.holdAbovePercent, until it is below resumeBelowPercent",
    Blocker.STORE_FULL: "until the store is below its maxmemory",
}
"""What has to happen, where that is not plain from the numbers."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A running job and the end of its lease (ms of the store's clock), which its worker renews."""

    queue: str
    job_id: str
    execution: str
    lease_ends: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """`gates`: the queue's own and those of its budgets. `holders`: of the gate that holds the queue, if one does."""

    now: int
    queue: QueueState
    gates: Sequence[GateState]
    holders: Sequence[Holder]

    def as_json(self) -> dict[str, Any]:
        """In plain values; times are ms of the store's clock, as is `now`."""
        return asdict(self)


def explain(
    state: StoreState, queue: str, document: QueueDocument | None, executions: Mapping[str, tuple[str, str]]
) -> Explanation:
    """`executions`: (queue, job id) of every running execution."""
    found = state.queues[queue]
    shares = document.budgets if document else ()
    gates = [*found.gates, *(gate for share in shares for gate in state.budgets.get(share.name, ()))]
    held = [holder for gate in gates if gate.name == found.blocked_by for holder in gate.holders]
    holders = [Holder(*executions.get(execution, ("?", "?")), execution, end) for execution, end in held]
    return Explanation(state.now, found, gates, holders)


def verdict(queue: QueueState, gates: Sequence[GateState], now: int) -> str:
    """One sentence: what holds the queue and until when."""
    name = queue.blocked_by
    if not name:
        short = sum(instance.short_of_memory for instance in queue.instances)
        some = f", but {short} of {len(queue.instances)} workers start nothing for want of memory" if short else ""
        return f"nothing holds it{'' if queue.queued else ', nothing is queued'}{some}"
    gate = next((gate for gate in gates if gate.name == name), None)
    numbers = f" ({usage(gate)})" if gate else ""
    cure = CURES.get(name, "until a holder ends" if queue.blocked_until is None else "")
    until = f"opens in {duration(queue.blocked_until - now)}" if queue.blocked_until else ""
    return f"held by {name}{numbers}: {', '.join(part for part in (cure, until) if part)}"


def usage(gate: GateState) -> str:
    """`5 of 5 running`, `20 of 20 starts in 1 s`, `2 for each key`"""
    window = f" starts in {duration(gate.period_ms)}" if gate.period_ms else " running"
    if gate.name in (Blocker.CONCURRENCY_PER_KEY, Blocker.RATE_PER_KEY, Blocker.RATE_PER_WORKER):
        each = "worker" if gate.name == Blocker.RATE_PER_WORKER else "key"
        return f"at most {gate.limit}{window} for each {each}"
    reserved = f", {gate.reserved} kept for HTTP" if gate.reserved else ""
    return f"{gate.used} of {gate.limit}{window}{reserved}"
