"""`headgate up DIR`: the policies of a folder in force on this machine, with workers and, if need be, a store."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from headgate.errors import InvalidInput
from headgate_cli.local import session
from headgate_cli.local.console import Console
from headgate_cli.local.files import DEFAULT_SCOPE
from headgate_cli.options import Before, Folder, Scope, Store, checked_scope, found_store_url

App = Annotated[Path, typer.Option(help="Folder from which the jobs' code is imported.", metavar="DIR")]
Data = Annotated[Path | None, typer.Option(help="Folder in which the embedded store keeps its data.", metavar="DIR")]
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65535, metavar="PORT", help="Port of the dashboard, or any free one when it is taken. 0: none."
    ),
]
Run = Annotated[
    list[str] | None,
    typer.Option(
        "--run", help="A program to run beside the workers, such as a producer. May be repeated.", metavar="COMMAND"
    ),
]


def up(
    directory: Folder,
    store: Store = None,
    app: App = Path(),
    companions: Run = None,
    before: Before = None,
    data: Data = None,
    scope: Scope = DEFAULT_SCOPE,
    port: Port = 9190,
) -> None:
    """Put the policies of a folder in force on this machine, with workers and, where none is named, a store.

    Prints the dashboard's address with a token that is good until the end of this command.

    An edited file is in force at the next start of a job. Ctrl-C drains, a second one hands running jobs back to their
    queues, a third kills. Workers and --run inherit the environment, with REDIS_URL set to the store.

    Exit code 0: drained. 1: the store does not answer, or a part broke. 2: bad input.
    """
    url = found_store_url(store)
    if url and data:
        raise InvalidInput("--data is for the embedded store: leave out --store and REDIS_URL, or leave out --data")
    wishes = session.Wishes(directory, checked_scope(scope), app, url, data, companions or [], before, port)
    sys.exit(asyncio.run(session.run(wishes, Console())))
