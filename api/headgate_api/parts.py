"""What the routes work with: made once with the application, found on it by every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from headgate_api.doors import Doors
from headgate_api.settings import Settings
from headgate_api.tokens import TokenFile

if TYPE_CHECKING:
    from headgate_api.panels import Panels


@dataclass(slots=True)
class Parts:
    settings: Settings
    doors: Doors
    tokens: TokenFile
    panels: Panels | None = None


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts
