"""QueuePolicy: the declared gates of one queue and the workers that serve it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval, Len
from pydantic import Field, StringConstraints

from headgate.model.common import (
    META_FIELD,
    NAME_FITS,
    STORE_IS_IMMUTABLE,
    BudgetRefs,
    Declared,
    DnsLabel,
    FunctionPath,
    KeyRate,
    Metadata,
    QueueName,
    Rate,
    StopPolicy,
    Text,
    Time,
    Whole,
)
from headgate.model.lists import ListSet
from headgate.model.rules import Rule, Transition
from headgate.model.worker_template import WorkerTemplate

Total = Annotated[Whole, Interval(ge=1, le=100_000)]
Seconds = Annotated[Whole, Interval(ge=1, le=86_400)]
Replicas = Annotated[Whole, Interval(ge=0, le=1_000)]


class Concurrency(Declared):
    """How many jobs may run at once."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.total) || !has(self.perKey) || self.perKey <= self.total",
            message="perKey cannot exceed total",
            holds=lambda c: c.total is None or c.per_key is None or c.per_key <= c.total,
            names=("perKey", "total"),
        ),
    )

    per_worker: Annotated[Whole, Interval(ge=1, le=256)] = 3
    """Slots of one worker: processes in which one job runs at a time. Resized live, no pod rolls."""
    total: Total | None = None
    """In the whole fleet. Absent: as many as there are slots."""
    per_key: Annotated[Whole, Interval(ge=1, le=10_000)] | None = None
    """For each key (a tenant, a user). A blocked key never blocks another key's jobs."""


class Rates(Declared):
    """How many jobs may start in any window."""

    per_worker: Rate | None = None
    """Of each worker. Absent: 10 x concurrency.perWorker in 1 s."""
    total: Rate | None = None
    """Of the whole fleet."""
    per_key: KeyRate | None = None
    """Of each key."""


class Key(Declared):
    """Where a job carries its key. The plain hash field `headgate_key` wins over it."""

    meta_field: Annotated[Text, StringConstraints(min_length=1, max_length=63, pattern=META_FIELD)] = "headgate_key"
    """Field of RQ's job.meta. A job without a key is not held by perKey limits, and is counted."""


class Backlog(Declared):
    """How many jobs may wait, for producers that enqueue through Headgate."""

    limit: Annotated[Whole, Interval(ge=1, le=10_000_000)]
    """Above it a producer is told to come back later."""


class Override(Declared):
    """Other limits for a while, with a reason. It ends by the store's clock; then the declared ones are in force."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.stopPolicy) || has(self.concurrencyTotal) || has(self.rateTotal)",
            message="an override changes stopPolicy, concurrencyTotal or rateTotal",
            holds=lambda o: o.stop_policy is not None or o.concurrency_total is not None or o.rate_total is not None,
        ),
    )

    stop_policy: StopPolicy | None = None
    """In place of stopPolicy."""
    concurrency_total: Total | None = None
    """In place of concurrency.total."""
    rate_total: Rate | None = None
    """In place of rate.total."""
    reason: Annotated[Text, StringConstraints(min_length=1, max_length=256)]
    """Why, for the person who finds it."""
    expire_time: Time
    """When it ends."""


class Jobs(Declared):
    """What may run and what happens when it is lost."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.functions) || self.payload != 'Any'",
            message="functions protects nothing while payload is Any: choose Plain or JSON",
            holds=lambda jobs: jobs.functions is None or jobs.payload != "Any",
        ),
    )

    deadline_seconds: Seconds = 3600
    """Longest run of a job; a job's own shorter timeout wins. Changing it rolls the pods (their grace follows it)."""
    payload: Literal["Any", "Plain", "JSON"] = "Any"
    """Any: RQ's pickles as they are. Plain: pickles of plain values only. JSON: RQ's JSON serializer."""
    functions: Annotated[tuple[FunctionPath, ...] | None, Len(max_length=512), ListSet()] = None
    """The only functions that may run. Absent: all."""
    on_worker_lost: Literal["Requeue", "Fail"] = "Requeue"
    """What becomes of a job whose worker died. Requeue is at-least-once."""
    max_losses: Annotated[Whole, Interval(ge=1, le=100)] = 3
    """After so many lost workers the job goes to the dead set as Poison."""
    on_lease_lost: Literal["Continue", "Stop"] = "Continue"
    """What a running job does when its place lapsed because the store was away."""


class Autoscaling(Declared):
    """Writes workers.replicas by backlog."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            message="minReplicas cannot exceed maxReplicas",
            holds=lambda a: a.min_replicas <= a.max_replicas,
            names=("minReplicas", "maxReplicas"),
        ),
    )

    min_replicas: Replicas = 1
    """Never fewer."""
    max_replicas: Annotated[Whole, Interval(ge=1, le=1_000)]
    """Never more."""
    target_backlog_per_slot: Annotated[Whole, Interval(ge=1, le=100_000)] = 20
    """Jobs, running and waiting, for each slot: more call for one more worker."""
    scale_down_stabilization_seconds: Annotated[Whole, Interval(ge=0, le=3_600)] = 300
    """How long the need must be smaller before a worker goes."""


class Memory(Declared):
    """What a worker does when memory runs short. Absent: nothing."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.resumeBelowPercent < self.holdAbovePercent",
            message="resumeBelowPercent must be below holdAbovePercent",
            holds=lambda m: m.resume_below_percent < m.hold_above_percent,
            names=("resumeBelowPercent", "holdAbovePercent"),
        ),
    )

    hold_above_percent: Annotated[Whole, Interval(ge=1, le=99)] = 85
    """Start nothing above this share of the pod's memory limit."""
    resume_below_percent: Annotated[Whole, Interval(ge=1, le=98)] = 75
    """Start again below this share."""
    recycle_slot_above_mib: Annotated[Whole, Interval(ge=16, le=1_048_576)] | None = Field(
        default=None, alias="recycleSlotAboveMiB"
    )
    """Replace a slot between two jobs when its memory is above this. Changing it rolls the pods."""


class Workers(Declared):
    """The worker pods."""

    replicas: Replicas = 1
    """Worker pods; kubectl scale and autoscalers write it through /scale."""
    drain_seconds: Annotated[Whole, Interval(ge=0, le=86_400)] | None = None
    """Time for running jobs when a pod is stopped. Absent: jobs.deadlineSeconds. Changing it rolls the pods."""
    autoscaling: Autoscaling | None = None
    """Replicas by backlog."""
    memory: Memory | None = None
    """Limits of memory."""
    template: WorkerTemplate | None = None
    """Pod template: image, env, resources, volumes. Changing it rolls the pods."""


class QueuePolicySpec(Declared):
    """The declared gates of one queue and the workers that serve it."""

    transitions: ClassVar[tuple[Transition, ...]] = (
        STORE_IS_IMMUTABLE,
        Transition(
            cel="has(self.queue) == has(oldSelf.queue) && (!has(self.queue) || self.queue == oldSelf.queue)",
            message="queue is immutable",
            holds=lambda new, old: new.queue == old.queue,
        ),
    )

    store: DnsLabel = "default"
    """Name of a store that the administrator configured. Immutable."""
    queue: QueueName | None = None
    """RQ queue. Absent: metadata.name. Immutable."""
    stop_policy: StopPolicy = "None"
    """Hold: nothing starts, what runs ends. HoldAndDrain: the workers are also drained away."""
    mode: Literal["Enforce", "Shadow"] = "Enforce"
    """Shadow counts what would have been refused and refuses nothing; slots are always enforced."""
    concurrency: Concurrency = Concurrency()
    """How many jobs may run at once."""
    rate: Rates | None = None
    """How many jobs may start in any window."""
    key: Key = Key()
    """Where a job carries its key."""
    budget_refs: BudgetRefs | None = None
    """Budgets that this queue shares with others."""
    backlog: Backlog | None = None
    """How many jobs may wait."""
    override: Override | None = None
    """Other limits for a while."""
    jobs: Jobs = Jobs()
    """What may run and what happens when it is lost."""
    workers: Workers = Workers()
    """The worker pods."""


class QueuePolicy(Declared):
    """One QueuePolicy as parsed. `status` is kept as read and judged by nobody here."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_FITS,)

    api_version: Literal["headgate.dev/v1alpha1"]
    kind: Literal["QueuePolicy"]
    metadata: Metadata
    spec: QueuePolicySpec = QueuePolicySpec()
    status: dict[str, Any] | None = None

    @property
    def queue(self) -> str:
        """The RQ queue it governs."""
        return self.spec.queue or self.metadata.name
