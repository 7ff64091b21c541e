"""PeriodicTask: a function that runs by the clock and never overlaps itself."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval, Len
from pydantic import Field, StringConstraints, WithJsonSchema

from headgate.model.checked import Checked
from headgate.model.common import (
    DNS_LABEL,
    NAME_FITS,
    NAME_MAX,
    STORE_IS_IMMUTABLE,
    Declared,
    DnsLabel,
    FunctionPath,
    Metadata,
    Text,
    Whole,
)
from headgate.model.rules import Rule, Transition
from headgate.model.worker_template import WorkerTemplate

NO_ZONE_INSIDE = Rule(
    cel="!self.contains('TZ=')",
    message="use timeZone, not TZ= inside schedule",
    holds=lambda schedule: "TZ=" not in schedule,
)
Schedule = Annotated[Text, StringConstraints(min_length=1, max_length=120), Checked(NO_ZONE_INSIDE)]
AnyJson = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]


class QueuePolicyRef(Declared):
    """A QueuePolicy of the same namespace and the same store."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=NAME_MAX, pattern=DNS_LABEL)]
    """Name of the QueuePolicy."""


class PeriodicTaskSpec(Declared):  # type: ignore[no-redef]  # the plugin: a field named kwargs
    """A function that runs by the clock and never overlaps itself, however a run was started."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.queuePolicyRef) || has(self.template)",
            message="name a queuePolicyRef (its worker template is used) or give a template",
            holds=lambda spec: spec.queue_policy_ref is not None or spec.template is not None,
        ),
        Rule(
            cel="self.type == 'Run' || has(self.queuePolicyRef)",
            message="type: Enqueue needs queuePolicyRef",
            holds=lambda spec: spec.type == "Run" or spec.queue_policy_ref is not None,
        ),
    )
    transitions: ClassVar[tuple[Transition, ...]] = (STORE_IS_IMMUTABLE,)

    store: DnsLabel = "default"
    """Name of a store that the administrator configured. Immutable."""
    schedule: Schedule
    """Five fields as cron has them, or @hourly, @daily, @weekly, @monthly, @yearly."""
    time_zone: Annotated[Text, StringConstraints(min_length=1, max_length=64)] = "Etc/UTC"
    """Name in the tz database, as Europe/Berlin. By which the schedule is read."""
    stop_policy: Literal["None", "Hold"] = "None"
    """Hold: nothing starts; what runs goes on."""
    on_overlap: Literal["Skip", "RunLate"] = "Skip"
    """When a run is due while another runs. Skip: it is left out. RunLate: one run when the current one ends."""
    type: Literal["Run", "Enqueue"] = "Run"
    """Run: the function runs in the pod. Enqueue: it becomes a job of the queue, and the pod waits for its end."""
    function: FunctionPath
    """What is called."""
    args: Annotated[tuple[AnyJson, ...] | None, Len(max_length=32)] = None
    """Positional arguments, any JSON."""
    keywords: dict[str, Any] | None = Field(default=None, alias="kwargs")
    """Arguments by name, any JSON."""
    deadline_seconds: Annotated[Whole, Interval(ge=1, le=86_400)] = 300
    """A run that takes longer is ended."""
    retries: Annotated[Whole, Interval(ge=0, le=5)] = 0
    """How often a failed run is started again."""
    queue_policy_ref: QueuePolicyRef | None = None
    """Whose worker template runs it (Run), or whose queue takes it (Enqueue)."""
    template: WorkerTemplate | None = None
    """Pod template of the runs, instead of that of the QueuePolicy."""


class PeriodicTask(Declared):
    """One PeriodicTask as parsed. `status` is kept as read and judged by nobody here."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_FITS,)

    api_version: Literal["headgate.dev/v1alpha1"]
    kind: Literal["PeriodicTask"]
    metadata: Metadata
    spec: PeriodicTaskSpec
    status: dict[str, Any] | None = None

    @property
    def full_name(self) -> str:
        """`<namespace>/<name>`: what the store calls it."""
        return f"{self.metadata.namespace}/{self.metadata.name}"
