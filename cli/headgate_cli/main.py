"""`headgate`, also installed as `kubectl-headgate`.

Exit codes: 0 all is well; 1 a check failed, a limit would be exceeded, or the store or the API does not answer; 2 bad
input, or something that is not there or not allowed. `--install-completion` completes in bash, zsh and fish.
"""

from __future__ import annotations

import sys

import typer

from headgate.errors import HeadgateError, InvalidInput
from headgate_cli.commands.api import api
from headgate_cli.commands.explain import explain
from headgate_cli.commands.operating import dead, pause, resume, top
from headgate_cli.commands.override import override
from headgate_cli.commands.plan import plan
from headgate_cli.commands.publish import publish
from headgate_cli.commands.report import report
from headgate_cli.commands.status import status
from headgate_cli.commands.up import up

app = typer.Typer(
    name="headgate",
    help="Declared limits for RQ jobs: exact for the whole fleet.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (up, plan, publish, status, explain, top, pause, resume, override, report, api):
    app.command()(command)
app.add_typer(dead, name="dead")


def main() -> None:
    try:
        app()
    except HeadgateError as error:
        typer.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, InvalidInput) else 1)


if __name__ == "__main__":
    main()
