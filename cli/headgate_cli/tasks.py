"""Periodic tasks as a table: what runs, how the last run ended, and what was skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from headgate.gates.runs import TaskState
from headgate_cli.text import duration, table

HEAD = ("TASK", "SCHEDULE", "RUNNING", "LAST", "TOOK", "SKIPPED", "OF THESE IN A ROW")


def as_table(tasks: Mapping[str, TaskState], now: int) -> str:
    """`now` and all times of a state are the store's, in milliseconds. Empty without a task."""
    return table(HEAD, [_row(task, now) for _, task in sorted(tasks.items())])


def as_json_of(tasks: Mapping[str, TaskState]) -> dict[str, Any]:
    """In plain values. A document is as `publish` sent it."""
    return {name: {**asdict(task), "document": task.document.model_dump()} for name, task in tasks.items()}


def _row(task: TaskState, now: int) -> tuple[str, ...]:
    held = " (held)" if task.document.stop_policy == "Hold" else ""
    running = f"{task.running} for {duration(now - task.running_since)}" if task.running else "-"
    last = f"{task.last_outcome}, {duration(now - task.last_ended)} ago" if task.last_ended else "never"
    took = duration(task.last_ended - task.last_started) if task.last_ended else "-"
    return (
        task.name,
        task.document.schedule + held,
        running,
        last,
        took,
        str(task.skipped),
        str(task.skips_in_a_row),
    )
