"""Options and arguments that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from headgate.errors import InvalidInput
from headgate_cli import settings

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of policies (YAML), or one file.")]
Store = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="redis://, rediss:// or unix:// URL. Default: $REDIS_URL.")
]
Scope = Annotated[
    str,
    typer.Option(help="Name of this set of policies. Sets that share a store need different ones.", metavar="NAME"),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Url = Annotated[
    str | None, typer.Option(metavar="URL", help="Of headgate-api. Default: $HEADGATE_URL, or the cluster.")
]
Token = Annotated[str | None, typer.Option("--token-file", metavar="FILE", help="Default: $HEADGATE_TOKEN.")]
Context = Annotated[str | None, typer.Option(metavar="NAME", help="Of the kubeconfig.")]
Before = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Concurrency of each worker as it was before, to compare with."),
]


def checked_scope(scope: str) -> str:
    """It takes the place of a namespace, so it must look like one."""
    if not DNS_LABEL.fullmatch(scope):
        raise InvalidInput(f"--scope {scope}: lower-case letters, digits and dashes, at most 63, like a namespace")
    return scope


def store_url(given: str | None) -> str:
    """The store that is named, or InvalidInput."""
    url = found_store_url(given)
    if url is None:
        raise InvalidInput("where is the store? give --store URL or set REDIS_URL")
    return url


def found_store_url(given: str | None) -> str | None:
    url = given or settings.store_url()
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        source = "--store" if given else "REDIS_URL"
        raise InvalidInput(f"{source} {url}: a store's URL begins with redis://, rediss:// or unix://")
    return url
