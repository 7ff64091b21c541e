"""The whole status of a Budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.status import reasons
from headgate.status.conditions import Verdict, merged, ready
from headgate.status.enforcement import Publication, enforced_budget

MEMBERS_SHOWN = 64
IN_FORCE = "The budget is in force."


@dataclass(frozen=True, slots=True)
class BudgetView:
    """`members` as `QueuePolicy/<name>`; `demand`: the sum of their bounds without this budget."""

    generation: int
    before: Mapping[str, Any]
    accepted: Verdict
    publication: Publication
    members: Sequence[str]
    demand: int


def budget_verdicts(view: BudgetView) -> list[Verdict]:
    enforcement = enforced_budget(view.publication, len(view.members))
    return [view.accepted, enforcement, ready([view.accepted, enforcement], Verdict(reasons.IN_FORCE, IN_FORCE))]


def budget_status(view: BudgetView, judged: list[Verdict], now: str) -> dict[str, Any]:
    """`now` is RFC 3339."""
    held = view.publication.held
    revision = view.publication.revision if held else view.before.get("revision")
    return {
        "observedGeneration": view.generation,
        **({"revision": revision} if revision is not None else {}),
        "members": sorted(view.members)[:MEMBERS_SHOWN],
        "demand": view.demand,
        "conditions": merged(view.before.get("conditions", ()), judged, view.generation, now),
    }
