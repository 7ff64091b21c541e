"""Ticks of a schedule that nobody started because a run was under way: known from the runs, not from Events.

The controller says nothing of them but an Event that it repeats. What the store knows of a run (when it began and
ended) and when the controller last started a Job tell all of them, also after an operator was away for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.desired.cron_job import SKIP_SECONDS
from headgate.gates.runs import TaskState
from headgate.model.documents import TaskDocument
from headgate.schedule import Schedule, parsed

SLACK_SECONDS = 1.0


def skipped(document: TaskDocument, state: TaskState | None, cron_job: Mapping[str, Any], now: datetime) -> list[int]:
    """Milliseconds, old ones first. Some may be counted already: the store counts each once."""
    if document.stop_policy == "Hold" or "creationTimestamp" not in cron_job.get("metadata", {}):
        return []
    schedule, since = parsed(document.schedule, document.time_zone), _declared_at(cron_job)
    settled = now - timedelta(seconds=SKIP_SECONDS)
    ticks: set[datetime] = set()
    for began, ended in _busy(state, cron_job, settled):
        ticks |= set(schedule.between(max(began, since), ended))
    found = sorted(ticks)
    if document.on_overlap == "RunLate":
        found = found[:-1]  # the newest of them runs when the current run ends
    return [round(tick.timestamp() * 1000) for tick in found]


def next_look(
    document: TaskDocument, state: TaskState | None, cron_job: Mapping[str, Any], now: datetime
) -> float | None:
    """Seconds until another tick may have been skipped; None while nothing runs."""
    active = bool(cron_job.get("status", {}).get("active"))
    if document.stop_policy == "Hold" or not (active or (state and state.running)):
        return None
    schedule: Schedule = parsed(document.schedule, document.time_zone)
    tick = schedule.after(now - timedelta(seconds=SKIP_SECONDS))
    return (tick - now).total_seconds() + SKIP_SECONDS + SLACK_SECONDS if tick else None


def _busy(state: TaskState | None, cron_job: Mapping[str, Any], settled: datetime) -> list[tuple[datetime, datetime]]:
    """Spans in which no tick could start a run."""
    status, spans = cron_job.get("status", {}), []
    if status.get("active") and "lastScheduleTime" in status:
        spans.append((datetime.fromisoformat(status["lastScheduleTime"]), settled))
    if state and state.running:
        spans.append((_at(max(state.running_since, state.last_tick)), settled))
    if state and state.last_ended:
        spans.append((_at(state.last_started), min(_at(state.last_ended), settled)))
    return [(began, ended) for began, ended in spans if began < ended]


def _declared_at(cron_job: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(cron_job["metadata"]["creationTimestamp"])


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
