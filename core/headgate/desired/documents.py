"""What a resource publishes to the store: its numbers, with all defaults filled in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from headgate.model.budget import Budget
from headgate.model.common import BudgetRef, Rate
from headgate.model.documents import (
    BudgetDocument,
    BudgetShare,
    Document,
    HttpDocument,
    HttpMatch,
    HttpRule,
    JobRules,
    MemoryDocument,
    OverrideDocument,
    PathMatch,
    QueueDocument,
    RateDocument,
    TaskDocument,
)
from headgate.model.http_policy import HTTPPolicy, Match
from headgate.model.http_policy import HttpRule as DeclaredRule
from headgate.model.parse import Resource
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import Jobs, Memory, Override, QueuePolicy, Rates
from headgate.names import full_name

STARTS_PER_SLOT = 10
"""The default of rate.perWorker: this many starts a second for each slot."""
SHARED = 256
"""Parts that are equal in many documents are one object: the operator remembers thousands of documents."""


def document_of(resource: Resource) -> Document:
    """Of any kind."""
    if isinstance(resource, QueuePolicy):
        return queue_document(resource)
    if isinstance(resource, PeriodicTask):
        return task_document(resource)
    return http_document(resource) if isinstance(resource, HTTPPolicy) else budget_document(resource)


def queue_document(policy: QueuePolicy) -> QueueDocument:
    spec, concurrency = policy.spec, policy.spec.concurrency
    rate_per_worker = rate_document(default_rate(concurrency.per_worker))
    rates = spec.rate or Rates()
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
        budgets=_shares(policy.metadata.namespace, spec.budget_refs),
        backlog=spec.backlog.limit if spec.backlog else None,
        override=_override(spec.override) if spec.override else None,
        memory=_memory(spec.workers.memory) if spec.workers.memory else None,
        jobs=_job_rules(spec.jobs),
    )


def _memory(memory: Memory) -> MemoryDocument:
    return MemoryDocument(
        hold_above_percent=memory.hold_above_percent, resume_below_percent=memory.resume_below_percent
    )


def budget_document(budget: Budget) -> BudgetDocument:
    concurrency, rate = budget.spec.concurrency, budget.spec.rate
    return BudgetDocument(
        name=budget.full_name,
        total=concurrency.total if concurrency else None,
        http_reserved=concurrency.http_reserved if concurrency else 0,
        rate=rate_document(rate.total) if rate else None,
    )


def http_document(policy: HTTPPolicy) -> HttpDocument:
    spec = policy.spec
    return HttpDocument(
        surface=policy.surface,
        on_store_failure=spec.on_store_failure,
        trusted_proxies=spec.trusted_proxies or (),
        ipv6_prefix_length=spec.ipv6_prefix_length,
        request_timeout_seconds=spec.request_timeout_seconds,
        max_body_bytes=spec.max_body_bytes,
        rules=tuple(_http_rule(policy.metadata.namespace, rule) for rule in spec.limits),
    )


def _http_rule(namespace: str, rule: DeclaredRule) -> HttpRule:
    return HttpRule(
        name=rule.name,
        mode=rule.mode,
        match=_http_match(rule.match),
        key=rule.key.type,
        header=rule.key.header,
        rate=optional_rate(rule.rate),
        in_flight=rule.in_flight,
        count=rule.count,
        cost=rule.cost,
        budgets=_shares(namespace, rule.budget_refs),
    )


def _http_match(match: Match) -> HttpMatch:
    return HttpMatch(
        methods=match.methods or (),
        paths=tuple(PathMatch(type=path.type, value=path.value) for path in match.paths or ()),
        hosts=match.hosts or (),
    )


def task_document(task: PeriodicTask, queue: str | None = None) -> TaskDocument:
    """`queue`: that of the QueuePolicy it names; None: it is named as the policy is."""
    spec, ref = task.spec, task.spec.queue_policy_ref
    return TaskDocument(
        name=task.full_name,
        schedule=spec.schedule,
        time_zone=spec.time_zone,
        stop_policy=spec.stop_policy,
        on_overlap=spec.on_overlap,
        type=spec.type,
        function=spec.function,
        args=spec.args or (),
        kwargs=spec.keywords or {},
        deadline_seconds=spec.deadline_seconds,
        retries=spec.retries,
        queue=queue or (ref.name if ref else None),
    )


def _shares(namespace: str, refs: Iterable[BudgetRef] | None) -> tuple[BudgetShare, ...]:
    return tuple(BudgetShare(name=full_name(namespace, ref.name), weight=ref.weight) for ref in refs or ())


@lru_cache(SHARED)
def default_rate(per_worker: int) -> Rate:
    """rate.perWorker when the policy says none."""
    return Rate.model_validate({"limit": STARTS_PER_SLOT * per_worker, "periodSeconds": 1})


@lru_cache(SHARED)
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


@lru_cache(SHARED)
def _job_rules(jobs: Jobs) -> JobRules:
    return JobRules(
        deadline_seconds=jobs.deadline_seconds,
        payload=jobs.payload,
        functions=jobs.functions,
        on_worker_lost=jobs.on_worker_lost,
        max_losses=jobs.max_losses,
        on_lease_lost=jobs.on_lease_lost,
    )
