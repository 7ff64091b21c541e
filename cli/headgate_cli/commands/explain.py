"""`headgate explain NAME`: of a queue or an HTTP surface, what holds it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer

from headgate import explain as explaining
from headgate.errors import InvalidInput
from headgate.gates.door import Door
from headgate_cli import explain as shown
from headgate_cli import settings
from headgate_cli import surfaces as surfaces_shown
from headgate_cli.options import Context, Json, Store, Token, Url, found_store_url, store_url
from headgate_cli.output import Output, printed
from headgate_cli.remote import opened
from headgate_cli.text import duration

Queue = Annotated[str, typer.Argument(metavar="NAME", help="Name of the RQ queue or of the HTTP surface.")]


def explain(
    queue: Queue,
    store: Store = None,
    as_json: Json = False,
    output: Output = "text",
    url: Url = None,
    token: Token = None,
    context: Context = None,
) -> None:
    """Which gate holds a queue, who holds that gate, and until when; or what each rule of an HTTP surface refused.

    Asks the store that --store or $REDIS_URL names, else headgate-api (queues only). Exit code 1: neither answers. 2:
    no policy declares this queue or surface.
    """
    output = "json" if as_json else output
    if url or found_store_url(store) is None:
        _explain_remotely(queue, output, url, token, context)
        return
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        state = door.inspect()
        if queue not in state.queues:
            _explain_surface(door, queue, sorted(state.queues), output)
            return
        declared = door.read_document(queue)
        found = explaining.explain(state, queue, declared and declared[1], _executions(door, state.queues))
    printed(found.as_json(), output, lambda: shown.as_text(found))


def _explain_remotely(queue: str, output: str, url: str | None, token: str | None, context: str | None) -> None:
    with opened(url, token, context) as api:
        found = api.ask("GET", "queues", queue, "explain")
    printed(found, output, lambda: _remote_text(queue, found))


def _remote_text(queue: str, found: Mapping[str, Any]) -> str:
    one = found["queue"]
    lines = [f"{queue}: {one['running']} running, {one['queued']} queued, {one['due']} due later", one["verdict"]]
    lines += [f"  {gate['name']}: {gate['usage']}" for gate in found["gates"]]
    for holder in found["held_by"]:
        lapses = duration(max(0, holder["lease_ends"] - found["now"]))
        lines.append(f"  held by job {holder['job_id']} of {holder['queue']}, lease ends in {lapses}")
    return "\n".join(lines)


def _explain_surface(door: Door, name: str, queues: list[str], output: str) -> None:
    surfaces = door.inspect_http()
    surface = surfaces.get(name)
    if surface is None:
        known = ", ".join([*queues, *sorted(surfaces)]) or "none"
        raise InvalidInput(f"no policy declares queue or surface {name} in this store; declared there: {known}")
    plain = {**asdict(surface), "document": surface.document.model_dump()}
    printed(plain, output, lambda: surfaces_shown.as_text(surface))


def _executions(door: Door, queues: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Queue and job id by execution, from RQ's started registries (`<job>:<execution>`)."""
    found = {}
    for queue in queues:
        for member in door.command("ZRANGE", door.keys.wip(queue), 0, -1):
            job_id, _, execution = member.decode().rpartition(":")
            found[execution] = (queue, job_id)
    return found
