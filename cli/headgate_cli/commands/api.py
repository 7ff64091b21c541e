"""`headgate api`: the API and the dashboard over a store, as `headgate-api` serves them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from headgate_api import settings
from headgate_api.main import serve
from headgate_cli.options import Store, store_url

Tokens = Annotated[
    Path, typer.Option(help="File of tokens; `headgate-api token NAME SCOPES` makes its lines.", metavar="FILE")
]
Host = Annotated[str, typer.Option(help="Address to listen at.", metavar="ADDRESS")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at.", metavar="PORT")]


def api(tokens: Tokens, store: Store = None, host: Host = "127.0.0.1", port: Port = 9190) -> None:
    """Serve the API and the dashboard of a store until told to stop.

    Exit code 1: the tokens cannot be read.
    """
    told = {"HEADGATE_TOKENS_FILE": str(tokens), "HEADGATE_STORE_URL": store_url(store)}
    found = settings.load({**settings.inherited(), **told, "HEADGATE_STORE_URL_FILE": ""})
    serve(dataclasses.replace(found, host=host, port=port))
