"""The whole status of a QueuePolicy, from what was decided and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.gates.overrides import in_force
from headgate.gates.verbs import QueueState, StoreState
from headgate.model.documents import BudgetDocument, QueueDocument
from headgate.names import selector
from headgate.status import reasons
from headgate.status.capacity import capacity, stop_policy_in_force
from headgate.status.conditions import Verdict, merged, ready
from headgate.status.degraded import Troubles, degraded
from headgate.status.enforcement import Acknowledged, Publication, enforced
from headgate.status.limits import limits
from headgate.status.reasons import Reason
from headgate.status.workers import workers_ready

Status = dict[str, Any]
KEPT = ("queue", "revision", "limits", "capacity")
"""What stays as it was while the spec is not accepted: the last good limits are in force."""


@dataclass(frozen=True, slots=True)
class View:
    """`document` None: the spec is not accepted. `before`: the status as it was. `deployment`: as it is now."""

    name: str
    generation: int
    before: Mapping[str, Any]
    accepted: Verdict
    document: QueueDocument | None
    rate_declared: bool
    replicas: int
    budgets: Mapping[str, BudgetDocument]
    publication: Publication
    acknowledged: Acknowledged
    deployment: Mapping[str, Any] | None
    foreign: str
    draining: int
    throttled: Verdict
    troubles: Troubles
    store: StoreState | None
    queue: QueueState | None

    @property
    def now_ms(self) -> int:
        return self.store.now if self.store else 0


def verdicts(view: View) -> list[Verdict]:
    """In the order in which a person reads them."""
    shadow = bool(view.document and view.document.mode == "Shadow")
    foreign_workers = view.queue.foreign_workers if view.queue else ()
    enforcement = enforced(view.publication, view.acknowledged, shadow=shadow, foreign_workers=foreign_workers)
    workers = workers_ready(view.deployment, view.foreign)
    parts = [view.accepted, *([] if enforcement.reason is reasons.SHADOW else [enforcement]), workers]
    reachable = view.publication.reachable
    return [
        view.accepted,
        enforcement,
        workers,
        view.throttled if reachable else Verdict(reasons.THROTTLE_UNKNOWN),
        degraded(view.troubles, view.store, view.queue),
        ready(parts, Verdict(_fine(view, shadow))),
    ]


def _fine(view: View, shadow: bool) -> Reason:
    if view.document and stop_policy_in_force(view.document, view.now_ms) != "None":
        return reasons.HELD
    return reasons.READY_SHADOW if shadow else reasons.IN_FORCE


def status(view: View, judged: list[Verdict], now: str) -> Status:
    """`now` is RFC 3339."""
    counts = (view.deployment or {}).get("status", {})
    found: Status = {
        **{name: view.before[name] for name in KEPT if name in view.before},
        "observedGeneration": view.generation,
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "drainingReplicas": view.draining,
        "selector": selector(view.name),
        "enforcement": view.acknowledged.as_status(),
        "conditions": merged(view.before.get("conditions", ()), judged, view.generation, now),
    }
    if view.document:
        found |= _declared(view, view.document)
    if view.publication.held:
        found["revision"] = view.publication.revision
    return found


def _declared(view: View, document: QueueDocument) -> Status:
    override = in_force(document.override, view.queue.override if view.queue else None, view.now_ms)
    expire_time = _rfc3339(override.expire_ms) if override else ""
    return {
        "queue": document.queue,
        "limits": limits(document, override, rate_declared=view.rate_declared, expire_time=expire_time),
        "capacity": capacity(document, view.replicas, view.budgets, view.now_ms).as_status(),
    }


def _rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
