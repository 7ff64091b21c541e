"""Statistics for an admin page. A panel that is slow or fails says so; the page never does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, Field

from headgate_api.auth import Reader
from headgate_api.panels import MOST_DAYS, Freshness, Query, Shown
from headgate_api.parts import PartsOf
from headgate_api.problems import Problem, declared

router = APIRouter(prefix="/v1/admin", tags=["statistics"], responses=declared(401, 403, 422, 429, 503))
Days = Annotated[int, Parameter(ge=1, le=MOST_DAYS, description="How far back, where a panel looks back.")]
Size = Annotated[bool, Parameter(description="Also weigh what is stored, which takes time.")]
CACHED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Age": {"description": "Seconds since the oldest value was computed.", "schema": {"type": "integer"}},
            "Cache-Status": {"description": "RFC 9211, one item for each panel.", "schema": {"type": "string"}},
        }
    }
}


class PanelView(BaseModel):
    """`freshness`: hit, miss (computed now), stale (older, because of `error`) or missing (the fallback)."""

    value: Any
    freshness: Freshness
    age: int = Field(description="Seconds since it was computed.")
    error: str = Field(description='Why it is stale or missing, else "".')


class Page(BaseModel):
    panels: dict[str, PanelView]


@router.get("/panels", summary="All panels", responses=CACHED)
async def panels(_caller: Reader, parts: PartsOf, response: Response, days: Days = 7, size: Size = False) -> Page:
    """Each is cached for a minute and computed once for all who ask; each has a deadline of its own."""
    shown = await parts.panels.page(Query(days, size))
    _say(response, list(shown.values()))
    return Page(panels={name: view(one) for name, one in shown.items()})


@router.get("/panels/{panel}", summary="One panel", responses={**declared(404), **CACHED})
async def panel(
    panel: Annotated[str, Path(pattern="^[a-z]{1,32}$", examples=["queues"])],
    _caller: Reader,
    parts: PartsOf,
    response: Response,
    days: Days = 7,
    size: Size = False,
) -> PanelView:
    if panel not in parts.panels.names:
        raise Problem(404, f"There is no panel {panel}: {', '.join(parts.panels.names)}.")
    shown = await parts.panels.show(panel, Query(days, size))
    _say(response, [shown])
    return view(shown)


def view(shown: Shown) -> PanelView:
    return PanelView(value=shown.value, freshness=shown.freshness, age=shown.age, error=shown.error)


def _say(response: Response, shown: list[Shown]) -> None:
    response.headers["Age"] = str(max((one.age for one in shown), default=0))
    response.headers["Cache-Status"] = ", ".join(one.cache_status for one in shown)
    response.headers["Cache-Control"] = "private, no-cache"
