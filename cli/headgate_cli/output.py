"""What a command found: for people, or for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
import yaml

from headgate.errors import InvalidInput

Output = Annotated[str, typer.Option("-o", "--output", metavar="FORMAT", help="text, json or yaml.")]


def printed(found: Any, output: str, text: Callable[[], str]) -> None:
    """`found` in plain values. Raises InvalidInput for another format."""
    if output == "json":
        typer.echo(json.dumps(found, indent=2))
    elif output == "yaml":
        # by way of JSON: its names and enumerations are plain text there
        typer.echo(yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=False).rstrip())
    elif output == "text":
        typer.echo(text())
    else:
        raise InvalidInput(f"--output {output}: text, json or yaml")
