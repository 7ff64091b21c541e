"""`headgate plan DIR`: how many jobs can run at once, without any store or cluster."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from headgate import plan as arithmetic
from headgate_cli.clock import SystemClock
from headgate_cli.local.files import DEFAULT_SCOPE
from headgate_cli.options import Before, Folder, Json
from headgate_cli.policies import CheckFailed, strictly_read

Most = Annotated[int | None, typer.Option("--max", min=0, metavar="N", help="Fail when more jobs could run at once.")]


def plan(directory: Folder, before: Before = None, most: Most = None, as_json: Json = False) -> None:
    """How many jobs can run at once, and what says so. Needs no store and no cluster.

    Exit code 1: more than --max, or a policy that would not be accepted. 2: the files have mistakes.
    """
    found = arithmetic.plan(strictly_read(directory, DEFAULT_SCOPE), before=before, now_ms=SystemClock().milliseconds())
    typer.echo(json.dumps(found.as_json(), indent=2) if as_json else as_text(found))
    if found.problems:
        raise CheckFailed(f"{len(found.problems)} of these policies would not be accepted as they are")
    if most is not None and found.total > most:
        raise CheckFailed(f"{found.total} jobs could run at once, {most} are allowed by --max")


def as_text(found: arithmetic.Plan) -> str:
    """`before 9 x 10 = 90` and `now 31` where there is a before; then the tables."""
    text = arithmetic.as_text(found)
    if found.before is None:
        return text
    was = found.before
    compared = f"before {was.workers} x {was.concurrency} = {was.total}\nnow {found.total}"
    return text.replace(arithmetic.headline(found), compared, 1)
