"""The status that reconcile writes, as the CRDs declare it. What fills it is in headgate.status."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Interval, Len
from pydantic import Field, StringConstraints

from headgate.model.common import Count, Declared, Text, Time, Whole
from headgate.model.lists import ListMap, ListSet

INT64 = {"format": "int64"}
BigWhole = Annotated[Whole, Field(json_schema_extra=dict(INT64))]
Places = Annotated[Whole, Interval(ge=0, le=1_000_000)]
ShortText = Annotated[Text, StringConstraints(min_length=1, max_length=64)]
Member = Annotated[Text, StringConstraints(min_length=1, max_length=128)]
REASON = "^[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?$"


class Condition(Declared):
    """metav1.Condition."""

    type: ShortText
    """Which question it answers."""
    status: Literal["True", "False", "Unknown"]
    """Its answer."""
    reason: Annotated[Text, StringConstraints(min_length=1, max_length=64, pattern=REASON)]
    """Why, as a constant; docs/runbook has a line for each."""
    message: Annotated[Text, StringConstraints(max_length=1024)]
    """Why, as a sentence."""
    last_transition_time: Time
    """When `status` changed last."""
    observed_generation: Annotated[BigWhole, Ge(0)] | None = None
    """Generation of the spec that was judged."""


Conditions = Annotated[tuple[Condition, ...] | None, Len(max_length=12), ListMap("type")]


class Enforcement(Declared):
    """Who must act on this revision and who has said so."""

    revision: BigWhole | None = None
    """Revision of the published policy."""
    expected: Count | None = None
    """Ready worker pods, and terminating ones that still renew; of a surface: the API processes that renew."""
    acknowledged: Count | None = None
    """Those that have this revision in use."""
    summary: Annotated[Text, StringConstraints(max_length=32)] | None = None
    """`7/7`."""


class Limit(Declared):
    """One limit in force."""

    name: ShortText
    """As in spec: `concurrency.total`."""
    value: ShortText
    """`10`, `200/1s`."""
    source: Literal["Spec", "Default", "Override"]
    """Who says so."""
    expire_time: Time | None = None
    """End of the override."""


class Capacity(Declared):
    """The arithmetic."""

    slots: Places | None = None
    """replicas x perWorker."""
    bound: Places | None = None
    """Most jobs that can run at once."""
    bound_by: Annotated[Text, StringConstraints(max_length=64)] | None = None
    """`slots`, `total`, or `budget/<name>`."""


class QueuePolicyStatus(Declared):
    """What is in force."""

    observed_generation: BigWhole | None = None
    """Generation of the spec that was judged last."""
    revision: BigWhole | None = None
    """The store's version of the published policy."""
    queue: Annotated[Text, StringConstraints(max_length=63)] | None = None
    """RQ queue."""
    replicas: Count | None = None
    """Worker pods."""
    ready_replicas: Count | None = None
    """Ready ones."""
    draining_replicas: Count | None = None
    """Stopped ones that finish their jobs."""
    selector: Annotated[Text, StringConstraints(max_length=512)] | None = None
    """Label selector of the worker pods, for /scale."""
    limits: Annotated[tuple[Limit, ...] | None, Len(max_length=16), ListMap("name")] = None
    """Limits in force, and who says so."""
    capacity: Capacity | None = None
    """The arithmetic."""
    enforcement: Enforcement | None = None
    """Who must act and who does."""
    conditions: Conditions = None
    """Accepted, Enforced, WorkersReady, Throttled, Degraded, Ready."""


class HTTPPolicyStatus(Declared):
    """What is in force."""

    observed_generation: BigWhole | None = None
    """Generation of the spec that was judged last."""
    revision: BigWhole | None = None
    """The store's version of the published policy."""
    surface: Annotated[Text, StringConstraints(max_length=63)] | None = None
    """What middlewares and proxies call it."""
    limits: Annotated[Whole, Interval(ge=0, le=32)] | None = Field(default=None, alias="rules")
    """How many limits are in force."""
    enforcement: Enforcement | None = None
    """Who must act and who does."""
    conditions: Conditions = None
    """Accepted, Enforced, Ready."""


class BudgetStatus(Declared):
    """What is in force."""

    observed_generation: BigWhole | None = None
    """Generation of the spec that was judged last."""
    revision: BigWhole | None = None
    """The store's version of the published budget."""
    members: Annotated[tuple[Member, ...] | None, Len(max_length=64), ListSet()] = None
    """Who shares it: `QueuePolicy/campaigns`, `HTTPPolicy/api`."""
    demand: Annotated[Whole, Interval(ge=0, le=10_000_000)] | None = None
    """Sum of the queues' bounds without this budget. Requests come as they come: they are not counted."""
    conditions: Conditions = None
    """Accepted, Enforced, Ready."""


class PeriodicTaskStatus(Declared):
    """What runs, what ran and what was skipped."""

    observed_generation: BigWhole | None = None
    """Generation of the spec that was judged last."""
    revision: BigWhole | None = None
    """The store's version of the published task."""
    cron_job_name: Annotated[Text, StringConstraints(max_length=63)] | None = None
    """The CronJob that starts it."""
    active: Annotated[Whole, Interval(ge=0, le=1_000)] | None = None
    """Runs under way."""
    last_schedule_time: Time | None = None
    """The last time at which a run was started by the schedule."""
    last_success_time: Time | None = None
    """End of the last run that succeeded."""
    last_duration_seconds: Annotated[Whole, Interval(ge=0, le=1_000_000)] | None = None
    """How long the last run took that ended."""
    skipped: BigWhole | None = None
    """Ticks of the schedule that did not run because another run did; each is counted once."""
    conditions: Conditions = None
    """Accepted, Scheduled, Healthy, Ready."""
