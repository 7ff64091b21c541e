"""`headgate explain QUEUE`: which gate holds it, who holds that gate, and until when."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Annotated

import typer

from headgate import explain as explaining
from headgate.errors import InvalidInput
from headgate.gates.door import Door
from headgate_cli import explain as shown
from headgate_cli import settings
from headgate_cli.options import Json, Store, store_url

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the RQ queue.")]


def explain(queue: Queue, store: Store = None, as_json: Json = False) -> None:
    """Which gate holds a queue, who holds that gate, and until when.

    Exit code 1: the store does not answer. 2: no policy declares this queue in the store.
    """
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        state = door.inspect()
        if queue not in state.queues:
            known = ", ".join(sorted(state.queues)) or "none"
            raise InvalidInput(f"no policy declares queue {queue} in this store; declared there: {known}")
        declared = door.read_document(queue)
        found = explaining.explain(state, queue, declared and declared[1], _executions(door, state.queues))
    typer.echo(json.dumps(found.as_json(), indent=2) if as_json else shown.as_text(found))


def _executions(door: Door, queues: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Queue and job id by execution, from RQ's started registries (`<job>:<execution>`)."""
    found = {}
    for queue in queues:
        for member in door.command("ZRANGE", door.keys.wip(queue), 0, -1):
            job_id, _, execution = member.decode().rpartition(":")
            found[execution] = (queue, job_id)
    return found
