"""What the routes work with: made once with the application, found on it by every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from headgate_api.doors import Doors
from headgate_api.panels import Panels
from headgate_api.proxies import Proxies
from headgate_api.routes.rq_store import RqStore
from headgate_api.settings import Settings
from headgate_api.tokens import TokenFile


@dataclass(slots=True)
class Parts:
    settings: Settings
    doors: Doors
    rq: RqStore
    tokens: TokenFile
    panels: Panels
    proxies: Proxies


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(parts_of)]
