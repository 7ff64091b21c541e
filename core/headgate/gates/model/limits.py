"""The limits of one queue that are in force now: its document with a live override applied."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.gates.model.rates import Rate
from headgate.gates.model.state import Store
from headgate.gates.overrides import OverrideState, in_force
from headgate.model.documents import BudgetShare, QueueDocument, RateDocument


def rate_of(document: RateDocument | None) -> Rate | None:
    return None if document is None else Rate(document.limit, document.period_ms * 1000)


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no such limit. `total` 0 in the store's packed form is None here."""

    held: bool
    shadow: bool
    total: int | None
    rate_total: Rate | None
    rate_per_worker: Rate | None
    per_key: int | None
    rate_per_key: Rate | None
    budgets: tuple[BudgetShare, ...]
    requeues: bool
    max_losses: int
    backlog: int | None

    @property
    def keyed(self) -> bool:
        return self.per_key is not None or self.rate_per_key is not None


def limits_of(document: QueueDocument, now: int, set_: OverrideState | None = None) -> Limits:
    """`set_`: what an operator set beside the document."""
    stop, total, rate_total = document.stop_policy, document.total, document.rate_total
    override = in_force(document.override, set_, now)
    if override is not None:
        stop = override.stop_policy or stop
        total = override.total or total
        rate_total = override.rate_total or rate_total
    return Limits(
        held=stop != "None",
        shadow=document.mode == "Shadow",
        total=total,
        rate_total=rate_of(rate_total),
        rate_per_worker=rate_of(document.rate_per_worker),
        per_key=document.per_key,
        rate_per_key=rate_of(document.rate_per_key),
        budgets=tuple(sorted(document.budgets, key=lambda share: share.name)),
        requeues=document.jobs.on_worker_lost == "Requeue",
        max_losses=document.jobs.max_losses,
        backlog=document.backlog,
    )


def limits(store: Store, queue: str) -> Limits | None:
    """None: the queue has no policy, so nothing of it may start."""
    policy = store.policies.get(queue)
    return None if policy is None else limits_of(policy.document, store.now, policy.override)
