"""What the person on call does through headgate-api: top, pause, resume, and the dead set."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from headgate.errors import InvalidInput
from headgate_cli.commands.override import Span, milliseconds
from headgate_cli.options import Context, Token, Url
from headgate_cli.output import Output, printed
from headgate_cli.remote import opened, quoted
from headgate_cli.text import duration

REFRESH_SECONDS = 1.0

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the RQ queue.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs.")]
Reason = Annotated[str, typer.Option(help="Why, for others to read.")]

dead = typer.Typer(
    help="Jobs that failed for good: list, requeue, delete.", no_args_is_help=True, rich_markup_mode=None
)


def top(
    url: Url = None, token: Token = None, context: Context = None, output: Output = "text",
    once: Annotated[bool, typer.Option("--once", help="Print once instead of staying.")] = False,
) -> None:  # fmt: skip
    """Every queue: what runs, waits, and which gate holds it. Stays and refreshes; Ctrl-C ends it."""
    with opened(url, token, context) as api:
        if once or output != "text" or not Console().is_terminal:
            found = api.ask("GET", "queues")
            printed(found, output, lambda: _text(_table(found)))
            return
        with Live(_table(api.ask("GET", "queues")), auto_refresh=False) as live:
            while True:
                time.sleep(REFRESH_SECONDS)
                live.update(_table(api.ask("GET", "queues")), refresh=True)


def pause(
    queue: Queue, reason: Reason = "", span: Span = "1h", drain: Annotated[bool, typer.Option("--drain")] = False,
    url: Url = None, token: Token = None, context: Context = None,
) -> None:  # fmt: skip
    """Start nothing of a queue for a while (an override, which ends by itself); --drain: hand back what runs too.

    Exit code 1: the API does not answer. 2: no policy declares this queue, or the token may not.
    """
    if not reason:
        raise InvalidInput("--reason is needed: who finds this queue paused should know why")
    ms = milliseconds(span)
    body = {"seconds": ms // 1000, "reason": reason, "stop_policy": "HoldAndDrain" if drain else "Hold"}
    with opened(url, token, context) as api:
        api.ask("PUT", "queues", queue, "override", body=body)
    typer.echo(f"{queue}: paused for {duration(ms)}")


def resume(queue: Queue, url: Url = None, token: Token = None, context: Context = None) -> None:
    """End a pause, or any other override of a queue: what its policy declares is in force again.

    Exit code 2: the queue has no override.
    """
    with opened(url, token, context) as api:
        api.ask("DELETE", "queues", queue, "override")
    typer.echo(f"{queue}: as its policy declares")


@dead.command("list")
def dead_list(
    queue: Annotated[str | None, typer.Option(help="Of one queue only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    url: Url = None, token: Token = None, context: Context = None, output: Output = "text",
) -> None:  # fmt: skip
    """The newest of each queue first."""
    which = f"&queue={quoted(queue)}" if queue else ""
    with opened(url, token, context) as api:
        found = api.ask("GET", "dead", query=f"?limit={limit}&offset={offset}{which}")

    jobs = [
        f"{job['id']}  {job['queue']}  {job['ended_at']}  {job['function']}: {job['reason']}" for job in found["jobs"]
    ]
    printed(found, output, lambda: "\n".join([*jobs, f"{len(jobs)} of {found['total']}"]))


@dead.command("requeue")
def dead_requeue(jobs: JobIds, url: Url = None, token: Token = None, context: Context = None) -> None:
    """To the end of their queues, as RQ does it."""
    with opened(url, token, context) as api:
        for job in jobs:
            api.ask("POST", "jobs", job, "requeue")
            typer.echo(f"{job}: requeued")


@dead.command("delete")
def dead_delete(jobs: JobIds, url: Url = None, token: Token = None, context: Context = None) -> None:
    """The jobs and their results, for good."""
    with opened(url, token, context) as api:
        for job in jobs:
            api.ask("DELETE", "dead", job)
            typer.echo(f"{job}: deleted")


def _text(table: Table) -> str:
    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip("\n")


def _table(found: Any) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, justify in (("QUEUE", "left"), ("RUNNING", "right"), ("QUEUED", "right"), ("DUE", "right"),
                          ("WORKERS", "right"), ("VERDICT", "left")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for queue in found["queues"]:
        numbers = (queue["running"], queue["queued"], queue["due"], len(queue["workers"]))
        table.add_row(queue["queue"], *map(str, numbers), queue["verdict"])
    return table
