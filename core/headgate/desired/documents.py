"""What a resource publishes to the store: its numbers, with all defaults filled in."""

from __future__ import annotations

from headgate.model.budget import Budget
from headgate.model.common import Rate
from headgate.model.documents import (
    BudgetDocument,
    BudgetShare,
    JobRules,
    OverrideDocument,
    QueueDocument,
    RateDocument,
)
from headgate.model.queue_policy import Jobs, Override, QueuePolicy, Rates
from headgate.names import full_name

STARTS_PER_SLOT = 10
"""The default of rate.perWorker: this many starts a second for each slot."""


def queue_document(policy: QueuePolicy) -> QueueDocument:
    spec, concurrency = policy.spec, policy.spec.concurrency
    rate_per_worker = rate_document(default_rate(concurrency.per_worker))
    rates, refs = spec.rate or Rates(), spec.budget_refs or ()
    return QueueDocument(
        queue=policy.queue,
        stop_policy=spec.stop_policy,
        mode=spec.mode,
        per_worker=concurrency.per_worker,
        total=concurrency.total,
        per_key=concurrency.per_key,
        rate_per_worker=optional_rate(rates.per_worker) or rate_per_worker,
        rate_total=optional_rate(rates.total),
        rate_per_key=optional_rate(rates.per_key),
        key_field=spec.key.meta_field,
        budgets=tuple(BudgetShare(name=full_name(policy.metadata.namespace, r.name), weight=r.weight) for r in refs),
        backlog=spec.backlog.limit if spec.backlog else None,
        override=_override(spec.override) if spec.override else None,
        jobs=_job_rules(spec.jobs),
    )


def budget_document(budget: Budget) -> BudgetDocument:
    concurrency, rate = budget.spec.concurrency, budget.spec.rate
    return BudgetDocument(
        name=budget.full_name,
        total=concurrency.total if concurrency else None,
        http_reserved=concurrency.http_reserved if concurrency else 0,
        rate=rate_document(rate.total) if rate else None,
    )


def default_rate(per_worker: int) -> Rate:
    """rate.perWorker when the policy says none."""
    return Rate.model_validate({"limit": STARTS_PER_SLOT * per_worker, "periodSeconds": 1})


def rate_document(rate: Rate) -> RateDocument:
    return RateDocument(limit=rate.limit, period_ms=rate.period_seconds * 1000)


def optional_rate(rate: Rate | None) -> RateDocument | None:
    return rate_document(rate) if rate else None


def _override(override: Override) -> OverrideDocument:
    return OverrideDocument(
        stop_policy=override.stop_policy,
        total=override.concurrency_total,
        rate_total=optional_rate(override.rate_total),
        reason=override.reason,
        expire_ms=expire_ms(override),
    )


def expire_ms(override: Override) -> int:
    """End of an override, in milliseconds since the epoch."""
    return int(override.expire_time.timestamp() * 1000)


def _job_rules(jobs: Jobs) -> JobRules:
    return JobRules(
        deadline_seconds=jobs.deadline_seconds,
        payload=jobs.payload,
        functions=jobs.functions,
        on_worker_lost=jobs.on_worker_lost,
        max_losses=jobs.max_losses,
        on_lease_lost=jobs.on_lease_lost,
    )
