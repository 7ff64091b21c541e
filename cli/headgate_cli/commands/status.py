"""`headgate status`: every queue, HTTP surface and budget of a store, and what holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

from headgate.explain import usage
from headgate.gates.door import Door
from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import QueueState, StoreState
from headgate_cli import settings
from headgate_cli.options import Context, Json, Store, Token, Url, found_store_url, store_url
from headgate_cli.output import Output, printed
from headgate_cli.remote import opened
from headgate_cli.surfaces import as_table
from headgate_cli.tasks import as_json_of as tasks_as_json
from headgate_cli.tasks import as_table as tasks_as_table
from headgate_cli.text import duration, table

NO_TASKS: Mapping[str, TaskState] = {}


def status(
    store: Store = None, as_json: Json = False, output: Output = "text", url: Url = None, token: Token = None,
    context: Context = None,
) -> None:  # fmt: skip
    """Every queue, HTTP surface, periodic task and budget of a store: what runs, what waits, and what holds it.

    Asks the store that --store or $REDIS_URL names, else headgate-api. Exit code 1: neither answers.
    """
    output = "json" if as_json else output
    if url or found_store_url(store) is None:
        with opened(url, token, context) as api:
            found = {"gates": api.ask("GET", "gates")["budgets"]}
            for part in ("queues", "surfaces", "periodic"):
                found |= api.ask("GET", part)
        printed(found, output, lambda: remote_text(found))
        return
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        state, surfaces, tasks = door.inspect(), door.inspect_http(), door.inspect_tasks()
    plain = as_json_of(state, surfaces) | {"tasks": tasks_as_json(tasks)}
    printed(plain, output, lambda: as_text(state, surfaces, tasks))


def remote_text(found: Mapping[str, Any]) -> str:
    """Of what the API answers: the same tables."""
    queues = [
        (one["queue"], one["running"], one["queued"], one["due"], len(one["workers"]), one["verdict"])
        for one in found["queues"]
    ]
    rules = [
        (surface["surface"], rule["name"], rule["allowed"], rule["near"], rule["denied"], rule["in_flight"])
        for surface in found["surfaces"]
        for rule in surface["rules"]
    ]
    tasks = [
        (task["name"], task["schedule"], "yes" if task["running"] else "-", task["last_outcome"] or "never",
         task["skipped"])
        for task in found["tasks"]
    ]  # fmt: skip
    budgets = [(name, gate["usage"], gate["waiting"]) for name, gates in found["gates"].items() for gate in gates]
    parts = [
        table(("QUEUE", "RUNNING", "QUEUED", "DUE", "WORKERS", "VERDICT"), _words(queues)),
        table(("SURFACE", "RULE", "ALLOWED", "NEAR", "REFUSED", "IN FLIGHT"), _words(rules)),
        table(("TASK", "SCHEDULE", "RUNNING", "LAST", "SKIPPED"), _words(tasks)),
        table(("BUDGET", "USED", "WAITING"), _words(budgets)),
    ]
    left = found["quarantine_until"] - found["now"]
    parts += _quarantine(left) + [
        line for one in found["queues"] for line in _foreign(one["queue"], one["foreign_workers"])
    ]
    return "\n\n".join(part for part in parts if part) or "no policy is published in this store"


def _words(rows: Iterable[Iterable[Any]]) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in rows]


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
    queues = sorted(state.queues.items())
    found = [line for name, queue in queues for line in _foreign(name, queue.foreign_workers)]
    return _quarantine(state.quarantine_until - state.now) + found


def _quarantine(left_ms: int) -> list[str]:
    if left_ms <= 0:
        return []
    return [f"QUARANTINE: the store lost data or its clock, nothing starts for another {duration(left_ms)}"]


def _foreign(queue: str, workers: Sequence[str]) -> list[str]:
    return [f"NOT ENFORCED: {', '.join(workers)} takes jobs of {queue} past every gate, stop it"] if workers else []
