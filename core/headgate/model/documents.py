"""What is published to the store: a policy reduced to the numbers that scripts and workers need, defaults filled in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


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


class QueueDocument(_Document):
    """One queue's gates. `per_worker` is the number of slots; `rate_per_worker` is always set: 10 x slots a second."""

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
    jobs: JobRules = JobRules()


class BudgetDocument(_Document):
    """A gate shared by several policies. `name` is `<namespace>/<name>`."""

    kind: Literal["budget"] = "budget"
    name: str
    total: int | None = None
    http_reserved: int = 0
    rate: RateDocument | None = None


Document = QueueDocument | BudgetDocument
