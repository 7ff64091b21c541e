"""`headgate publish DIR`: put the limits of files in force in a store, as a step of a deployment without Kubernetes."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from headgate import plan as arithmetic
from headgate.gates.door import Door
from headgate_cli import settings
from headgate_cli.clock import SystemClock
from headgate_cli.local.files import DEFAULT_SCOPE
from headgate_cli.options import Folder, Json, Scope, Store, checked_scope, store_url
from headgate_cli.policies import CheckFailed, strictly_read
from headgate_cli.publishing import Result, publish_all, remove_others
from headgate_cli.text import table

Adopt = Annotated[bool, typer.Option("--adopt", help="Take over queues and budgets that others declare.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove what this scope declared before and no longer does.")]


def publish(
    directory: Folder,
    store: Store = None,
    scope: Scope = DEFAULT_SCOPE,
    adopt: Adopt = False,
    prune: Prune = False,
    as_json: Json = False,
) -> None:
    """Put the limits of files in force, without Kubernetes: running workers follow at their next start of a job.

    Exit code 1: the store does not answer, or others declare a queue or budget of these files (those stay theirs, the
    rest is published). 2: the files have mistakes; nothing was published.
    """
    resources = strictly_read(directory, checked_scope(scope))
    problems = arithmetic.plan(resources, now_ms=SystemClock().milliseconds()).problems
    if problems:
        raise CheckFailed("\n".join((*problems, "nothing was published")))
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        door.check()
        results = list(publish_all(door, resources, scope, adopt=adopt))
        results += remove_others(door, resources, scope) if prune else ()
    typer.echo(json.dumps([asdict(result) for result in results], indent=2) if as_json else as_text(results))
    refused = [result for result in results if not result.good]
    if refused:
        raise CheckFailed("\n".join(map(_why, refused)))


def as_text(results: list[Result]) -> str:
    rows = [(result.kind, result.name, str(result.revision or "-"), result.outcome) for result in results]
    return table(("KIND", "NAME", "REVISION", "OUTCOME"), rows)


def _why(result: Result) -> str:
    if result.by is None:
        return f"{result.kind} {result.name}: somebody else keeps publishing it, try again"
    where = f" ({result.by.cluster})" if result.by.cluster else ""
    return (
        f"{result.kind} {result.name}: already declared by {result.by.name}{where}; "
        "remove it there, or take it over with --adopt"
    )
