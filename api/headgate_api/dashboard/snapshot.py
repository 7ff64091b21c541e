"""A reading as the page gets it: parts (queues, budgets, workers, jobs, surfaces, tasks) of named rows of plain values.

Rows hold no text that changes with time alone: the page counts down by itself, from `now`. So a quiet row stays equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.explain import CURES
from headgate.gates.states import GateState, QueueState
from headgate.model.documents import BudgetDocument, OverrideDocument, QueueDocument, RateDocument
from headgate.plan import most_at_once
from headgate.status.capacity import capacity, override_in_force, stop_policy_in_force, total_in_force
from headgate_api.dashboard import rules, ticks
from headgate_api.dashboard.reading import Reading

Row = Mapping[str, Any] | list[Any]
Parts = dict[str, dict[str, Row]]

LATE_MS = 10_000
"""A lease has 20 s and is renewed every 5: with less than this left, its worker was silent for two renewals."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What `most_at_once` counts: a queue with the workers that are there now."""

    document: QueueDocument
    replicas: int


def parts(reading: Reading) -> Parts:
    state, budgets = reading.state, reading.budgets()
    return {
        "queues": {name: _queue(reading, one, budgets) for name, one in sorted(state.queues.items())},
        "budgets": {name: _budget(reading, name, gates) for name, gates in sorted(state.budgets.items())},
        "workers": {
            worker.name: compact(
                pod=worker.pod,
                queue=worker.queue,
                revision=worker.revision,
                slots=worker.slots,
                busy=worker.busy,
                at=worker.renewed_at,
            )
            for one in state.queues.values()
            for worker in one.instances
        },
        "jobs": _jobs(reading),
        "surfaces": {name: rules.surface(found) for name, found in sorted(reading.surfaces.items())},
        "tasks": {name: ticks.task(found, state.now) for name, found in sorted(reading.tasks.items())},
    }


def arithmetic(reading: Reading) -> int:
    """The most jobs at once with the workers that are there: the number at the top of the page."""
    counted = [
        _Counted(document, len(one.instances))
        for one in reading.state.queues.values()
        if (document := _in_force(reading, one)) is not None
    ]
    return most_at_once(counted, reading.budgets(), reading.state.now)


def compact(**fields: Any) -> dict[str, Any]:
    """Without what is empty, zero or None: the page takes that for granted."""
    return {name: value for name, value in fields.items() if value not in (None, 0, "", False, (), [], {})}


def rate(document: RateDocument | None) -> list[int] | None:
    return [document.limit, document.period_ms] if document else None


def _in_force(reading: Reading, queue: QueueState) -> QueueDocument | None:
    """The queue's document with an operator's override in the place of its own."""
    document = reading.queue(queue.queue)
    if document is None or queue.override is None:
        return document
    return document.model_copy(update={"override": queue.override.document})


def _queue(reading: Reading, queue: QueueState, budgets: Mapping[str, BudgetDocument]) -> Row:
    now, document = reading.state.now, _in_force(reading, queue)
    declared = reading.declared.get(f"queue/{queue.queue}")
    counts = compact(
        queued=queue.queued,
        running=queue.running,
        due=queue.due,
        dead=declared.dead if declared else 0,
        revision=queue.revision,
        owner=queue.owner.name if queue.owner else "",
        held=_held(queue),
        gates=[_gate(gate) for gate in queue.gates],
        foreign=list(queue.foreign_workers),
        keyless=queue.keyless,
        poison=queue.poison,
        shadowed=dict(queue.shadowed),
    )
    if document is None:
        return counts
    by = queue.override.by if queue.override else "its policy"
    return {**counts, **_declared(document, len(queue.instances), budgets, now, by)}


def _declared(
    document: QueueDocument, workers: int, budgets: Mapping[str, BudgetDocument], now: int, by: str
) -> dict[str, Any]:
    bound = capacity(document, workers, budgets, now)
    stop = stop_policy_in_force(document, now)
    return compact(
        most=bound.bound,
        bound_by=bound.bound_by,
        total=total_in_force(document, now),
        per_worker=document.per_worker,
        shadow=document.mode == "Shadow",
        stop="" if stop == "None" else stop,
        backlog=document.backlog,
        budgets={share.name: share.weight for share in document.budgets},
        override=_override(override_in_force(document, now), by),
    )


def _override(override: OverrideDocument | None, by: str) -> dict[str, Any] | None:
    if override is None:
        return None
    return compact(
        who=by,
        reason=override.reason,
        until=override.expire_ms,
        stop=override.stop_policy,
        total=override.total,
        rate=rate(override.rate_total),
    )


def _held(queue: QueueState) -> dict[str, Any] | None:
    if not queue.blocked_by:
        return None
    name = str(queue.blocked_by)
    cure = CURES.get(name, "until a holder ends" if queue.blocked_until is None else "")
    return compact(by=name, until=queue.blocked_until, cure=cure)


def _gate(gate: GateState) -> dict[str, Any]:
    return compact(
        name=str(gate.name),
        limit=gate.limit,
        period=gate.period_ms,
        used=gate.used,
        open_at=gate.open_at,
        waiting=gate.waiting,
        reserved=gate.reserved,
    )


def _budget(reading: Reading, name: str, gates: Sequence[GateState]) -> Row:
    queues = {job.execution: job.queue for found in reading.declared.values() for job in found.running}
    holders = Counter(
        queues.get(execution, "HTTP" if execution.startswith("h:") else "")
        for gate in gates
        for execution, _ in gate.holders
    )
    members = [
        queue
        for queue in sorted(reading.state.queues)
        if (found := reading.queue(queue)) and any(share.name == name for share in found.budgets)
    ]
    return compact(
        gates=[_gate(gate) for gate in gates],
        holders=dict(holders),
        members=members,
    )


def _jobs(reading: Reading) -> dict[str, Row]:
    """By execution: queue, job, function, start (ms), slot; and the end of its lease (ms) when its worker is silent."""
    now = reading.state.now
    found: dict[str, Row] = {}
    for declared in reading.declared.values():
        for job in declared.running:
            late = [job.lease_end] if job.lease_end and job.lease_end - now < LATE_MS else []
            found[job.execution] = [job.queue, job.job_id, job.function, job.started, job.slot, *late]
    return found
