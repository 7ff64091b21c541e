"""`headgate status`: every queue and budget of a store, and what holds them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict

import typer

from headgate.explain import usage
from headgate.gates.door import Door
from headgate.gates.verbs import QueueState, StoreState
from headgate_cli import settings
from headgate_cli.options import Json, Store, store_url
from headgate_cli.text import duration, table


def status(store: Store = None, as_json: Json = False) -> None:
    """Every queue and budget of a store: what runs, what waits, and what holds it.

    Exit code 1: the store does not answer.
    """
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        state = door.inspect()
    typer.echo(json.dumps(asdict(state), indent=2) if as_json else as_text(state))


def as_text(state: StoreState) -> str:
    if not state.queues:
        return "no policy is published in this store"
    queues = [_row(queue, state.now) for _, queue in sorted(state.queues.items())]
    budgets = [
        (name, usage(gate), str(gate.waiting)) for name, gates in sorted(state.budgets.items()) for gate in gates
    ]
    head = ("QUEUE", "RUNNING", "QUEUED", "DUE", "WORKERS", "BUSY", "REVISION", "HELD BY")
    parts = [table(head, queues), table(("BUDGET", "USED", "WAITING"), budgets), *_warnings(state)]
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
