"""The arithmetic: how many jobs of a queue can run at once, and which number says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.model.documents import BudgetDocument, BudgetShare, OverrideDocument, QueueDocument


@dataclass(frozen=True, slots=True)
class Capacity:
    """`bound`: the least of slots, total and each budget's places; `bound_by`: slots, total or budget/<name>."""

    slots: int
    bound: int
    bound_by: str

    def as_status(self) -> dict[str, int | str]:
        return {"slots": self.slots, "bound": self.bound, "boundBy": self.bound_by}


def override_in_force(document: QueueDocument, now_ms: int) -> OverrideDocument | None:
    """The override, until it expires by the store's clock."""
    override = document.override
    return override if override and override.expire_ms > now_ms else None


def total_in_force(document: QueueDocument, now_ms: int) -> int | None:
    override = override_in_force(document, now_ms)
    return override.total if override and override.total is not None else document.total


def stop_policy_in_force(document: QueueDocument, now_ms: int) -> str:
    override = override_in_force(document, now_ms)
    return (override and override.stop_policy) or document.stop_policy


def capacity(
    document: QueueDocument, replicas: int, budgets: Mapping[str, BudgetDocument], now_ms: int, *, without: str = ""
) -> Capacity:
    """`budgets` by full name; unknown ones bound nothing. `without`: as if that budget were not there.

    Slots win a tie, then total: the first number to raise is the one nearest to the policy. In Shadow only slots bound.
    """
    slots = replicas * document.per_worker
    bounds = [(slots, "slots")]
    if document.mode == "Enforce":
        total = total_in_force(document, now_ms)
        if total is not None:
            bounds.append((total, "total"))
        bounds += [
            (places, f"budget/{share.name.rpartition('/')[2]}")
            for share in document.budgets
            if share.name != without and (places := _places(share, budgets.get(share.name))) is not None
        ]
    bound, bound_by = min(bounds, key=lambda pair: pair[0])
    return Capacity(slots, bound, bound_by)


def _places(share: BudgetShare, budget: BudgetDocument | None) -> int | None:
    """Jobs that fit into a budget when nobody else is in it."""
    if budget is None or budget.total is None:
        return None
    return (budget.total - budget.http_reserved) // share.weight
