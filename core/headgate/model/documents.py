"""What is published to the store: a policy reduced to the numbers that scripts and workers need, defaults filled in."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RateDocument(_Document):
    limit: int
    period_ms: int


class OverrideDocument(_Document):
    """In force until `expire_ms` of the store's clock; fields that are None change nothing."""

    stop_policy: Literal["None", "Hold", "HoldAndDrain"] | None = None
    total: int | None = None
    rate_total: RateDocument | None = None
    reason: str
    expire_ms: int


class BudgetShare(_Document):
    """`name` is `<namespace>/<name>`; `weight` places (and starts) are taken by each job."""

    name: str
    weight: int = 1


class JobRules(_Document):
    deadline_seconds: int = 3600
    payload: Literal["Any", "Plain", "JSON"] = "Any"
    functions: tuple[str, ...] | None = None
    on_worker_lost: Literal["Requeue", "Fail"] = "Requeue"
    max_losses: int = 3
    on_lease_lost: Literal["Continue", "Stop"] = "Continue"


class MemoryDocument(_Document):
    """Shares, in percent, of what the kernel lets the pod have."""

    hold_above_percent: int = 85
    resume_below_percent: int = 75


class QueueDocument(_Document):
    """One queue's gates. `per_worker` is the number of slots; `rate_per_worker` is always set: 10 x slots a second.

    A field that came after 0.1 is left out while it says nothing, so that workers of an older version read on.
    """

    kind: Literal["queue"] = "queue"
    queue: str
    stop_policy: Literal["None", "Hold", "HoldAndDrain"] = "None"
    mode: Literal["Enforce", "Shadow"] = "Enforce"
    per_worker: int = 3
    total: int | None = None
    per_key: int | None = None
    rate_per_worker: RateDocument | None = None
    rate_total: RateDocument | None = None
    rate_per_key: RateDocument | None = None
    key_field: str = "headgate_key"
    budgets: tuple[BudgetShare, ...] = ()
    backlog: int | None = None
    override: OverrideDocument | None = None
    memory: MemoryDocument | None = Field(default=None, exclude_if=lambda memory: memory is None)
    jobs: JobRules = JobRules()

    @property
    def name(self) -> str:
        return self.queue


class BudgetDocument(_Document):
    """A gate shared by several policies. `name` is `<namespace>/<name>`."""

    kind: Literal["budget"] = "budget"
    name: str
    total: int | None = None
    http_reserved: int = 0
    rate: RateDocument | None = None


class PathMatch(_Document):
    """Prefix: by whole segments. Template: `{name}` stands for one segment, `{name:path}` for the rest."""

    type: Literal["Exact", "Prefix", "Template"] = "Prefix"
    value: str


class HttpMatch(_Document):
    """Empty matches all. A request matches when its method, one of the paths and one of the hosts do."""

    methods: tuple[str, ...] = ()
    paths: tuple[PathMatch, ...] = ()
    hosts: tuple[str, ...] = ()


class HttpRule(_Document):
    """One rule's gates. `header` is set exactly when `key` is Header; without a user: ClientIP."""

    name: str
    mode: Literal["Enforce", "Shadow"] = "Enforce"
    match: HttpMatch = HttpMatch()
    key: Literal["ClientIP", "User", "Header", "Global"] = "ClientIP"
    header: str | None = None
    rate: RateDocument | None = None
    in_flight: int | None = None
    count: Literal["All", "Failures"] = "All"
    cost: int = 1
    budgets: tuple[BudgetShare, ...] = ()


class HttpDocument(_Document):
    """One HTTP surface. Every rule that matches a request applies to it, all or none."""

    kind: Literal["http"] = "http"
    surface: str
    on_store_failure: Literal["Deny", "Allow", "Local"] = "Local"
    trusted_proxies: tuple[str, ...] = ()
    ipv6_prefix_length: int = 64
    request_timeout_seconds: int = 30
    max_body_bytes: int = 1_048_576
    rules: tuple[HttpRule, ...] = ()

    @property
    def name(self) -> str:
        return self.surface


class TaskDocument(_Document):
    """One periodic task. `name` is `<namespace>/<name>`; `queue` takes the job (Enqueue) or lends its worker (Run)."""

    kind: Literal["task"] = "task"
    name: str
    schedule: str
    time_zone: str = "Etc/UTC"
    stop_policy: Literal["None", "Hold"] = "None"
    on_overlap: Literal["Skip", "RunLate"] = "Skip"
    type: Literal["Run", "Enqueue"] = "Run"
    function: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    deadline_seconds: int = 300
    retries: int = 0
    queue: str | None = None


Document = QueueDocument | BudgetDocument | HttpDocument | TaskDocument

DocumentKind = Literal["queue", "budget", "http", "task"]
_KINDS: dict[str, DocumentKind] = {"queue": "queue", "budget": "budget", "http": "http", "task": "task"}


def field_of(document: Document) -> str:
    """`<kind>/<name>`: what `StoreState.owners` calls it."""
    return f"{document.kind}/{document.name}"


def kind_and_name(field: str) -> tuple[DocumentKind, str] | None:
    """What `field_of` was made of; None for a kind of a later version."""
    kind, _, name = field.partition("/")
    return (_KINDS[kind], name) if kind in _KINDS else None
