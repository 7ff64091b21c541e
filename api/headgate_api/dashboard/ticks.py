"""Periodic tasks as the page gets them: the last run, the skips, the next tick."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from headgate.errors import InvalidInput
from headgate.gates.runs import TaskState
from headgate.schedule import parsed

MINUTE_MS = 60_000


def task(state: TaskState, now: int) -> dict[str, Any]:
    document = state.document
    held = document.stop_policy != "None"
    fields: dict[str, Any] = {
        "schedule": document.schedule,
        "zone": document.time_zone,
        "function": document.function,
        "type": document.type,
        "queue": document.queue,
        "overlap": document.on_overlap,
        "deadline": document.deadline_seconds,
        "held": held,
        "running": state.running,
        "pod": state.running_pod,
        "since": state.running_since,
        "lease_end": state.lease_end if state.running and state.lease_end - now < 10_000 else 0,
        "started": state.last_started,
        "ended": state.last_ended,
        "success": state.last_success,
        "outcome": state.last_outcome,
        "skipped": state.skipped,
        "in_a_row": state.skips_in_a_row,
        "skipped_tick": state.last_skipped_tick,
        "next": 0 if held else next_tick(document.schedule, document.time_zone, now // MINUTE_MS),
    }
    return {name: value for name, value in fields.items() if value}


@lru_cache(maxsize=4096)
def next_tick(schedule: str, zone: str, minute: int) -> int:
    """The first tick (ms) after that minute of the epoch; 0 when there is none, or the schedule is none."""
    try:
        tick = parsed(schedule, zone).after(datetime.fromtimestamp(minute * 60, UTC))
    except InvalidInput:
        return 0
    return int(tick.timestamp() * 1000) if tick else 0
