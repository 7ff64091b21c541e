"""How many jobs can run at once, and which number says so: arithmetic over manifests, without store or cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from headgate.desired.documents import budget_document, queue_document
from headgate.model.budget import Budget
from headgate.model.documents import BudgetDocument, BudgetShare, QueueDocument, RateDocument
from headgate.model.http_policy import HTTPPolicy
from headgate.model.parse import Resource
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate.names import full_name
from headgate.status.capacity import capacity
from headgate.surface_plan import SurfacePlan, as_lines, members_of, surface_plans
from headgate.task_plan import TaskPlan, as_task_lines, task_plans


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """One queue: `slots` = workers x per_worker; `bound`: the most jobs at once, `bound_by` the number that says so."""

    policy: str
    queue: str
    store: str
    workers: int
    per_worker: int
    slots: int
    bound: int
    bound_by: str
    stop_policy: str


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """One budget: `demand` is what its queues would run at once if it were not there."""

    budget: str
    total: int | None
    rate: str | None
    demand: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Before:
    """The fleet as it was: every worker with the same concurrency and no limit over them."""

    workers: int
    concurrency: int

    @property
    def total(self) -> int:
        return self.workers * self.concurrency


@dataclass(frozen=True, slots=True)
class Plan:
    """`total`: the most jobs at once in the whole fleet. `problems`: what would not be accepted, a sentence each."""

    queues: tuple[QueuePlan, ...]
    budgets: tuple[BudgetPlan, ...]
    total: int
    before: Before | None
    problems: tuple[str, ...]
    surfaces: tuple[SurfacePlan, ...] = ()
    tasks: tuple[TaskPlan, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same in plain values."""
        before = {**asdict(self.before), "total": self.before.total} if self.before else None
        return {**asdict(self), "before": before}


class Counted(Protocol):
    """A queue as the arithmetic sees it: its document and so many workers."""

    @property
    def document(self) -> QueueDocument: ...

    @property
    def replicas(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Counted:
    policy: QueuePolicy
    document: QueueDocument

    @property
    def name(self) -> str:
        return full_name(self.policy.metadata.namespace, self.policy.metadata.name)

    @property
    def replicas(self) -> int:
        """The most there can be."""
        workers = self.policy.spec.workers
        return workers.autoscaling.max_replicas if workers.autoscaling else workers.replicas


def plan(resources: Iterable[Resource], *, before: int | None = None, now_ms: int = 0) -> Plan:
    """`before`: concurrency of each worker as it was. `now_ms`: overrides that end later count."""
    resources = list(resources)
    budgets = {item.full_name: item for item in resources if isinstance(item, Budget)}
    counted, problems = _without_conflicts(item for item in resources if isinstance(item, QueuePolicy))
    problems += [sentence for item in counted for sentence in _unmet(item, budgets)]
    http = [item for item in resources if isinstance(item, HTTPPolicy)]
    surfaces, more = surface_plans(http, budgets)
    policies = {full_name(p.metadata.namespace, p.metadata.name): p for p in resources if isinstance(p, QueuePolicy)}
    tasks, unmet = task_plans((item for item in resources if isinstance(item, PeriodicTask)), policies)
    documents = {name: budget_document(budget) for name, budget in budgets.items()}
    return Plan(
        queues=tuple(_queue_plan(item, documents, now_ms) for item in counted),
        budgets=tuple(
            _budget_plan(budget, counted, documents, now_ms, members_of(http, budget.name))
            for budget in documents.values()
        ),
        surfaces=tuple(surfaces),
        tasks=tuple(tasks),
        total=most_at_once(counted, documents, now_ms),
        before=None if before is None else Before(sum(item.replicas for item in counted), before),
        problems=(*problems, *more, *unmet),
    )


def _without_conflicts(policies: Iterable[QueuePolicy]) -> tuple[list[_Counted], list[str]]:
    """The first policy of a queue counts; the operator would take the oldest."""
    counted: dict[tuple[str, str], _Counted] = {}
    problems: list[str] = []
    for policy in policies:
        item = _Counted(policy, queue_document(policy))
        first = counted.setdefault((policy.spec.store, policy.queue), item)
        if first is not item:
            problems.append(
                f"{item.name}: queue {policy.queue} of store {policy.spec.store} is already declared by {first.name},"
                " give it another queue"
            )
    return list(counted.values()), problems


def _unmet(item: _Counted, budgets: Mapping[str, Budget]) -> list[str]:
    """What would make this policy not accepted."""
    sentences = []
    for index, share in enumerate(item.document.budgets):
        budget, where = budgets.get(share.name), f"{item.name}: spec.budgetRefs[{index}].name"
        if budget is None:
            sentences.append(f"{where}: there is no Budget {share.name}, declare it or remove the reference")
        elif budget.spec.store != item.policy.spec.store:
            sentences.append(
                f"{where}: Budget {share.name} is in store {budget.spec.store}, this queue in {item.policy.spec.store}"
            )
    return sentences


def _queue_plan(item: _Counted, budgets: Mapping[str, BudgetDocument], now_ms: int) -> QueuePlan:
    found, document = capacity(item.document, item.replicas, budgets, now_ms), item.document
    return QueuePlan(
        policy=item.name,
        queue=document.queue,
        store=item.policy.spec.store,
        workers=item.replicas,
        per_worker=document.per_worker,
        slots=found.slots,
        bound=found.bound,
        bound_by=found.bound_by,
        stop_policy=document.stop_policy,
    )


def _budget_plan(
    budget: BudgetDocument,
    counted: Sequence[_Counted],
    budgets: Mapping[str, BudgetDocument],
    now_ms: int,
    http: Sequence[str],
) -> BudgetPlan:
    members = [item for item in counted if _share(item, budget.name)]
    return BudgetPlan(
        budget=budget.name,
        total=budget.total,
        rate=_rate(budget.rate),
        demand=sum(
            capacity(item.document, item.replicas, budgets, now_ms, without=budget.name).bound for item in members
        ),
        members=(*(item.name for item in members), *http),
    )


def most_at_once(counted: Sequence[Counted], budgets: Mapping[str, BudgetDocument], now_ms: int) -> int:
    """Never less than what can happen, and exact while each queue names at most one budget of concurrency.

    Within a budget the lightest jobs fill it best. A queue of several budgets counts in the one that bounds it most.
    """
    total, shared = 0, dict[str, list[tuple[int, int]]]()
    for item in counted:
        alone = capacity(item.document, item.replicas, budgets, now_ms)
        tightest = _tightest(item, budgets)
        if tightest is None:
            total += alone.bound
        else:
            shared.setdefault(tightest.name, []).append((tightest.weight, alone.bound))
    for name, members in shared.items():
        budget = budgets[name]
        places = (budget.total or 0) - budget.http_reserved
        for weight, bound in sorted(members):
            jobs = min(bound, places // weight)
            places -= jobs * weight
            total += jobs
    return total


def _tightest(item: Counted, budgets: Mapping[str, BudgetDocument]) -> BudgetShare | None:
    """The share with room for the fewest jobs, of those budgets that bound concurrency; none in Shadow."""
    if item.document.mode == "Shadow":
        return None
    places = {
        share: (budget.total - budget.http_reserved) // share.weight
        for share in item.document.budgets
        if (budget := budgets.get(share.name)) and budget.total is not None
    }
    return min(places, key=lambda share: places[share], default=None)


def _share(item: _Counted, budget: str) -> BudgetShare | None:
    return next((share for share in item.document.budgets if share.name == budget), None)


def _rate(rate: RateDocument | None) -> str | None:
    return f"{rate.limit}/{rate.period_ms // 1000}s" if rate else None


def headline(found: Plan) -> str:
    """`at most 31 jobs at once (before: 9 x 10 = 90)`"""
    was = found.before
    compared = f" (before: {was.workers} x {was.concurrency} = {was.total})" if was else ""
    return f"at most {found.total} jobs at once{compared}"


def as_text(found: Plan) -> str:
    """The headline, a table of queues, the limits of surfaces, the tasks, a table of budgets, the problems."""
    queues = [
        (q.policy, q.queue, f"{q.workers} x {q.per_worker} = {q.slots}", str(q.bound), q.bound_by, _stop(q))
        for q in found.queues
    ]
    budgets = [
        (b.budget, "-" if b.total is None else str(b.total), b.rate or "-", str(b.demand), ", ".join(b.members) or "-")
        for b in found.budgets
    ]
    parts = [
        [headline(found)],
        _table(("POLICY", "QUEUE", "WORKERS x SLOTS", "BOUND", "BY", "STOP"), queues),
        as_lines(found.surfaces),
        as_task_lines(found.tasks),
        _table(("BUDGET", "CONCURRENCY", "RATE", "DEMAND", "MEMBERS"), budgets),
        [f"problem: {sentence}" for sentence in found.problems],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _stop(queue: QueuePlan) -> str:
    return "-" if queue.stop_policy == "None" else queue.stop_policy


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
