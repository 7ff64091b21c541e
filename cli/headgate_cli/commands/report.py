"""`headgate report`: the success metrics of the last hours, judged by what the system recorded itself."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from headgate.errors import InvalidInput
from headgate.gates.door import Door
from headgate.gates.samples import KEEP_MINUTES
from headgate.report import Report
from headgate.report import report as judged
from headgate_cli import settings
from headgate_cli.options import Store, store_url
from headgate_cli.text import table

Since = Annotated[str, typer.Option("--since", metavar="SPAN", help="How far back: 30m, 24h or 2d; 48 hours are kept.")]
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="text, or json for programs.")]
UNIT_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}


def report(since: Since = "24h", store: Store = None, output: Output = "text") -> None:
    """Crashes, memory, CPU, skipped tasks and the admin panel of the last hours, each PASS, FAIL or NO DATA with its
    evidence; and which HTTP rules refuse real users, which abuse.

    Exit code 1: something failed, or the store does not answer. 2: bad input.
    """
    minutes = span_minutes(since)
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        door.command("PING")
        now = door.read_samples(2**53).now
        first = now - minutes * 60_000
        found = judged(first, door.read_samples(first), door.inspect_tasks(), door.inspect_http())
    typer.echo(json.dumps(found.as_json(), indent=2) if output == "json" else as_text(found))
    sys.exit(1 if found.failed else 0)


def span_minutes(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    minutes = int(match[1]) * UNIT_MINUTES[match[2]] if match else 0
    if not 1 <= minutes <= KEEP_MINUTES:
        raise InvalidInput(f"--since {text}: a number with m, h or d is needed, at most 48h, for example 24h")
    return minutes


def as_text(found: Report) -> str:
    lines = [f"from {_time(found.since)} to {_time(found.until)}", ""]
    width = max(len(metric.name) for metric in found.metrics)
    for metric in found.metrics:
        first, *rest = metric.evidence
        lines.append(f"{metric.verdict:<7}  {metric.name:<{width}}  {first}")
        lines += [f"{'':<{width + 11}}{sentence}" for sentence in rest]
    rows = [
        (f"{each.surface}/{each.rule}", *map(str, (each.allowed, each.denied, each.shadowed, each.near)),
         str(each.identities), each.who)
        for each in found.refusals
    ]  # fmt: skip
    head = ("HTTP RULE", "ADMITTED", "REFUSED", "IN SHADOW", "NEAR", "CLIENTS REFUSED", "WHO IS REFUSED")
    return "\n".join([*lines, *(["", table(head, rows)] if rows else [])])


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
