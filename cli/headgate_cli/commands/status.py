"""`headgate status`: every queue, HTTP surface and budget of a store, and what holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any

import typer

from headgate.explain import usage
from headgate.gates.door import Door
from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import QueueState, StoreState
from headgate_cli import settings
from headgate_cli.options import Json, Store, store_url
from headgate_cli.surfaces import as_table
from headgate_cli.tasks import as_json_of as tasks_as_json
from headgate_cli.tasks import as_table as tasks_as_table
from headgate_cli.text import duration, table

NO_TASKS: Mapping[str, TaskState] = {}


def status(store: Store = None, as_json: Json = False) -> None:
    """Every queue, HTTP surface, periodic task and budget of a store: what runs, what waits, and what holds it.

    Exit code 1: the store does not answer.
    """
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        state, surfaces, tasks = door.inspect(), door.inspect_http(), door.inspect_tasks()
    if as_json:
        typer.echo(json.dumps(as_json_of(state, surfaces) | {"tasks": tasks_as_json(tasks)}, indent=2))
    else:
        typer.echo(as_text(state, surfaces, tasks))


def as_json_of(state: StoreState, surfaces: Mapping[str, SurfaceState]) -> dict[str, Any]:
    """In plain values. A document is as `publish` sent it."""
    shown = {name: {**asdict(each), "document": each.document.model_dump()} for name, each in surfaces.items()}
    return {**asdict(state), "surfaces": shown}


def as_text(state: StoreState, surfaces: Mapping[str, SurfaceState], tasks: Mapping[str, TaskState] = NO_TASKS) -> str:
    if not state.queues and not surfaces and not tasks:
        return "no policy is published in this store"
    queues = [_row(queue, state.now) for _, queue in sorted(state.queues.items())]
    budgets = [
        (name, usage(gate), str(gate.waiting)) for name, gates in sorted(state.budgets.items()) for gate in gates
    ]
    head = ("QUEUE", "RUNNING", "QUEUED", "DUE", "WORKERS", "BUSY", "REVISION", "HELD BY")
    parts = [table(head, queues), as_table(surfaces), tasks_as_table(tasks, state.now)]
    parts += [table(("BUDGET", "USED", "WAITING"), budgets), *_warnings(state)]
    return "\n\n".join(part for part in parts if part)


def _row(queue: QueueState, now: int) -> tuple[str, ...]:
    slots, busy = sum(item.slots for item in queue.instances), sum(item.busy for item in queue.instances)
    current = sum(item.revision == queue.revision for item in queue.instances)
    held = queue.blocked_by or "-"
    if queue.blocked_until:
        held += f", opens in {duration(queue.blocked_until - now)}"
    return (
        queue.queue,
        str(queue.running),
        str(queue.queued),
        str(queue.due),
        str(len(queue.instances)),
        f"{busy}/{slots}",
        f"{queue.revision} ({current}/{len(queue.instances)})",
        held,
    )


def _warnings(state: StoreState) -> list[str]:
    found = []
    if state.quarantine_until > state.now:
        left = duration(state.quarantine_until - state.now)
        found.append(f"QUARANTINE: the store lost data or its clock, nothing starts for another {left}")
    found += [
        f"NOT ENFORCED: {', '.join(queue.foreign_workers)} takes jobs of {name} past every gate, stop it"
        for name, queue in sorted(state.queues.items())
        if queue.foreign_workers
    ]
    return found
