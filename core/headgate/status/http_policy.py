"""The whole status of an HTTPPolicy, from what was decided and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.model.documents import HttpDocument
from headgate.status import reasons
from headgate.status.conditions import Verdict, merged, ready
from headgate.status.enforcement import Acknowledged, Publication, enforced_surface

KEPT = ("surface", "revision", "rules")
"""What stays as it was while the spec is not accepted: the last good limits are in force."""
IN_FORCE = "The limits are in force."


@dataclass(frozen=True, slots=True)
class HttpView:
    """`document` None: the spec is not accepted. `before`: the status as it was. `surface`: as far as it is known."""

    generation: int
    before: Mapping[str, Any]
    accepted: Verdict
    document: HttpDocument | None
    surface: str
    publication: Publication
    acknowledged: Acknowledged


def http_verdicts(view: HttpView) -> list[Verdict]:
    """In the order in which a person reads them."""
    enforcement = enforced_surface(view.publication, view.acknowledged, view.surface)
    fine = Verdict(reasons.IN_FORCE, _fine(view.document))
    return [view.accepted, enforcement, ready([view.accepted, enforcement], fine)]


def _fine(document: HttpDocument | None) -> str:
    counting = [rule.name for rule in document.rules if rule.mode == "Shadow"] if document else []
    return f"{IN_FORCE} Shadow: {', '.join(counting)} only counted." if counting else IN_FORCE


def http_status(view: HttpView, judged: list[Verdict], now: str) -> dict[str, Any]:
    """`now` is RFC 3339."""
    found: dict[str, Any] = {
        **{name: view.before[name] for name in KEPT if name in view.before},
        "observedGeneration": view.generation,
        "enforcement": view.acknowledged.as_status(),
        "conditions": merged(view.before.get("conditions", ()), judged, view.generation, now),
    }
    if view.document:
        found |= {"surface": view.document.surface, "rules": len(view.document.rules)}
    if view.publication.held:
        found["revision"] = view.publication.revision
    return found
