"""What the API says of queues, gates and their holders. Times are in milliseconds, of the store's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from headgate.explain import Explanation, usage, verdict
from headgate.gates.overrides import OverrideState
from headgate.gates.verbs import GateState, QueueState, StoreState

QueueName = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", description="RQ's queue.", examples=["emails"]),
]
StopPolicy = Literal["None", "Hold", "HoldAndDrain"]
JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,200}$", description="RQ's job id.", examples=["1b4c-77"])]


class Holder(BaseModel):
    """An execution and the end of its lease, which its worker renews every 5 s."""

    execution: str
    lease_ends: int
    queue: str = ""
    job_id: str = ""


class Gate(BaseModel):
    """One limit. `period_ms` 0: places, else starts in any window of that length. `usage` says it in words."""

    name: str = Field(examples=["concurrency.total", "budget/mail/smtp"])
    limit: int
    period_ms: int
    used: int
    open_at: int | None
    waiting: int
    usage: str = Field(examples=["10 of 10 running"])
    holders: list[Holder] = Field(default_factory=list)


class WorkerView(BaseModel):
    """A worker pod as it last renewed."""

    name: str
    pod: str
    revision: int
    slots: int
    busy: int
    renewed_at: int


class Rate(BaseModel):
    """Starts in any window of that length."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    period_seconds: Annotated[int, Field(ge=1, le=86_400)]


class OverrideView(BaseModel):
    """What an operator set: in force until `expires`; what is null stays as declared."""

    queue: str = Field(examples=["emails"])
    stop_policy: StopPolicy | None
    total: int | None
    rate_total: Rate | None
    reason: str = Field(examples=["the mail provider is slow"])
    by: str = Field(description="The name of the token.", examples=["ada"])
    since: int
    expires: int


class Queue(BaseModel):
    """One queue: what runs, what waits, what holds it."""

    queue: str = Field(examples=["emails"])
    revision: int
    declared_by: str = Field(examples=["shop/emails"])
    queued: int
    running: int
    due: int
    blocked_by: str = Field(description='The gate that refuses the next start, "" when none.', examples=["rate.total"])
    blocked_until: int | None
    verdict: str = Field(
        examples=["held by concurrency.total (10 of 10 running): until a running job of this queue ends"]
    )
    gates: list[Gate]
    workers: list[WorkerView]
    foreign_workers: list[str]
    keyless: int
    poison: int
    shadowed: dict[str, int]
    override: OverrideView | None


class Queues(BaseModel):
    now: int
    quarantine_until: int
    queues: list[Queue]


class Budgets(BaseModel):
    """Every gate of the store: those of queues, and budgets by `<namespace>/<name>`."""

    now: int
    queues: dict[str, list[Gate]]
    budgets: dict[str, list[Gate]]


def gate(state: GateState, executions: Mapping[str, tuple[str, str]] | None = None) -> Gate:
    known = executions or {}
    holders = []
    for execution, ends in state.holders:
        queue, job_id = known.get(execution, ("", ""))
        holders.append(Holder(execution=execution, lease_ends=ends, queue=queue, job_id=job_id))
    return Gate(
        name=str(state.name),
        limit=state.limit,
        period_ms=state.period_ms,
        used=state.used,
        open_at=state.open_at,
        waiting=state.waiting,
        usage=usage(state),
        holders=holders,
    )


def queue(state: StoreState, found: QueueState, gates: Sequence[GateState] | None = None) -> Queue:
    return Queue(
        queue=found.queue,
        revision=found.revision,
        declared_by=found.owner.name if found.owner else "",
        queued=found.queued,
        running=found.running,
        due=found.due,
        blocked_by=str(found.blocked_by),
        blocked_until=found.blocked_until,
        verdict=verdict(found, found.gates if gates is None else gates, state.now),
        gates=[gate(one) for one in found.gates],
        workers=[
            WorkerView(
                name=one.name,
                pod=one.pod,
                revision=one.revision,
                slots=one.slots,
                busy=one.busy,
                renewed_at=one.renewed_at,
            )
            for one in found.instances
        ],
        foreign_workers=list(found.foreign_workers),
        keyless=found.keyless,
        poison=found.poison,
        shadowed=dict(found.shadowed),
        override=override(found.queue, found.override) if found.override else None,
    )


class QueueExplanation(BaseModel):
    """Which gate holds the queue, who holds that gate, and until when."""

    now: int
    queue: Queue
    gates: list[Gate] = Field(description="Its own and those of its budgets.")
    held_by: list[Holder] = Field(description="Who holds the gate that holds the queue.")


def explanation(state: StoreState, found: Explanation) -> QueueExplanation:
    held_by = [
        Holder(execution=one.execution, lease_ends=one.lease_ends, queue=one.queue, job_id=one.job_id)
        for one in found.holders
    ]
    return QueueExplanation(
        now=found.now,
        queue=queue(state, found.queue, found.gates),
        gates=[gate(one) for one in found.gates],
        held_by=held_by,
    )


def override(queue: str, state: OverrideState) -> OverrideView:
    document, rate = state.document, state.document.rate_total
    return OverrideView(
        queue=queue,
        stop_policy=document.stop_policy,
        total=document.total,
        rate_total=Rate(limit=rate.limit, period_seconds=max(1, rate.period_ms // 1000)) if rate else None,
        reason=document.reason,
        by=state.by,
        since=state.since,
        expires=document.expire_ms,
    )
