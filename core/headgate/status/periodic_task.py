"""The whole status of a PeriodicTask: what the CronJob says, what the store knows of its runs, and what was skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.gates.runs import TaskState
from headgate.status import reasons
from headgate.status.conditions import Verdict, merged, ready
from headgate.status.enforcement import Publication

CYCLES = 3
"""So many runs in a row that each made the schedule skip are a pattern, one may be bad luck."""
SCHEDULED_FINE = "The CronJob starts it, and the store lets one run at a time."
_WORDS = {"failed": "failed", "deadline": "took longer than deadlineSeconds", "lost": "was lost with its pod"}
_KEPT = ("revision", "cronJobName", "lastSuccessTime", "lastDurationSeconds", "lastScheduleTime", "skipped")


@dataclass(frozen=True, slots=True)
class TaskView:
    """`cron_job`: as it is now, None when there is none; `foreign`: one of this name is not ours.

    `state`: what the store knows, None when it does not answer or holds nothing.
    """

    generation: int
    before: Mapping[str, Any]
    accepted: Verdict
    publication: Publication
    held: bool
    cron_job: Mapping[str, Any] | None
    foreign: bool
    state: TaskState | None


def task_verdicts(view: TaskView) -> list[Verdict]:
    """In the order in which a person reads them."""
    scheduled = _scheduled(view)
    parts = [view.accepted, *([] if scheduled.reason is reasons.SUSPENDED else [scheduled])]
    fine = Verdict(reasons.HELD) if view.held else Verdict(reasons.IN_FORCE, SCHEDULED_FINE)
    return [view.accepted, scheduled, _healthy(view), ready(parts, fine)]


def _scheduled(view: TaskView) -> Verdict:
    if view.foreign:
        return Verdict(reasons.CRON_JOB_NOT_OWNED)
    if view.accepted.reason is reasons.VALID and not view.publication.held:
        return Verdict(reasons.TASK_NOT_PUBLISHED, view.publication.problem)
    if view.cron_job is None:
        return Verdict(reasons.NOT_SCHEDULED)
    return Verdict(reasons.SUSPENDED if view.held else reasons.CRON_JOB_APPLIED)


def _healthy(view: TaskView) -> Verdict:
    state = view.state
    if not view.publication.reachable:
        return Verdict(reasons.HEALTH_UNKNOWN, view.publication.problem)
    if state and state.cycles_with_skips + (1 if state.skips_in_a_row else 0) >= CYCLES:
        return Verdict(reasons.SKIPS_EVERY_RUN)
    if state and state.last_outcome in _WORDS:
        words = _WORDS[state.last_outcome]
        return Verdict(reasons.LAST_RUN_FAILED, f"The run that began at {rfc3339(state.last_started)} {words}.")
    if _never_asked(view):
        words = "The last Job ended before its pod asked the store: see its events, an image may be missing."
        return Verdict(reasons.LAST_RUN_FAILED, words)
    return Verdict(reasons.LAST_RUN_SUCCEEDED if state and state.last_ended else reasons.NEVER_RAN)


def _never_asked(view: TaskView) -> bool:
    """A Job was started, is over, and neither succeeded nor is known to the store."""
    status = (view.cron_job or {}).get("status", {})
    scheduled = status.get("lastScheduleTime", "")
    if not scheduled or status.get("active") or status.get("lastSuccessfulTime", "") >= scheduled:
        return False
    state = view.state
    known = max(state.last_started, state.running_since, state.last_skipped_tick, state.last_tick) if state else 0
    return rfc3339(known) < str(scheduled)


def task_status(view: TaskView, judged: list[Verdict], now: str) -> dict[str, Any]:
    """`now` is RFC 3339."""
    state, cron_job = view.state, view.cron_job or {}
    counts = cron_job.get("status", {})
    found: dict[str, Any] = {
        **{name: view.before[name] for name in _KEPT if name in view.before},
        "observedGeneration": view.generation,
        "active": len(counts.get("active", ())),
        "conditions": merged(view.before.get("conditions", ()), judged, view.generation, now),
    }
    if view.publication.held:
        found["revision"] = view.publication.revision
    if view.cron_job:
        found["cronJobName"] = cron_job["metadata"]["name"]
    if "lastScheduleTime" in counts:
        found["lastScheduleTime"] = counts["lastScheduleTime"]
    return found | (_ran(state) if state else {})


def _ran(state: TaskState) -> dict[str, Any]:
    found: dict[str, Any] = {"skipped": state.skipped}
    if state.last_success:
        found["lastSuccessTime"] = rfc3339(state.last_success)
    if state.last_ended:
        found["lastDurationSeconds"] = min(1_000_000, max(0, state.last_ended - state.last_started) // 1000)
    return found


def rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
