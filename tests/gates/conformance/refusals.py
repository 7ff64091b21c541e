"""Liveness (I8): a refusal must be right. What is refused by a gate is refused because that gate is full."""

from __future__ import annotations

from headgate.gates.verbs import Blocker, ClaimAnswer, Empty, NoPolicy, Quarantine, Wait
from headgate.model.documents import QueueDocument
from tests.gates.conformance.bench import Bench
from tests.gates.conformance.history import History, promise

FAULT_MS = 60_000
"""So long after a fault (a clock that was set back) a rate may still wait for the time before it."""


def judge_refusal(history: History, bench: Bench, queue: str, pod: str, answer: ClaimAnswer) -> None:
    document = history.policies[queue]
    if isinstance(answer, Empty):
        promise(not bench.queue(queue), "I8", f"{queue} is called empty with {bench.queue(queue)}")
    elif isinstance(answer, NoPolicy):
        promise(False, "I8", f"{queue} has a policy")
    elif isinstance(answer, Quarantine):
        promise(history.quarantined() and answer.until > bench.now, "I8", "quarantine without a loss")
    elif isinstance(answer, Wait):
        promise(answer.open_at is None or answer.open_at > bench.now, "I8", f"told to come back in the past: {answer}")
        _judge_gate(history, bench, document, pod, answer)


def _judge_gate(history: History, bench: Bench, document: QueueDocument, pod: str, answer: Wait) -> None:
    live = [member for member, end in bench.holders(document.queue).items() if end > bench.now]
    if answer.blocker == Blocker.CONCURRENCY_TOTAL:
        promise(document.total is not None and len(live) >= document.total, "I8", f"{len(live)} hold {document}")
    elif answer.blocker == Blocker.CONCURRENCY_PER_KEY:
        keys = {history.jobs[job_id].key for job_id in bench.queue(document.queue) if job_id in history.jobs}
        promise(None not in keys, "I8", "a job without a key waits for a key")
    elif answer.blocker == Blocker.RATE_TOTAL and document.rate_total is not None:
        begin = history.passed - document.rate_total.period_ms
        inside = sum(at > begin and one.queue == document.queue for at, one in history.starts)
        full = inside >= document.rate_total.limit or history.last_fault > begin - FAULT_MS
        promise(full, "I9", f"{inside} starts fill {document.rate_total}")
