"""HTTP surfaces: their rules, and what these let through and refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from headgate.gates.door import Door
from headgate.gates.http import RuleCounts, SurfaceState
from headgate.model.documents import HttpRule
from headgate_api.auth import Reader
from headgate_api.parts import PartsOf
from headgate_api.problems import Problem, declared
from headgate_api.settings import SURFACE

router = APIRouter(prefix="/v1", tags=["http surfaces"], responses=declared(401, 403, 422, 429, 503))


class Rule(BaseModel):
    """One rule and its counts since it was published. `identities_denied` is an estimate (HyperLogLog)."""

    name: str = Field(examples=["general"])
    mode: str
    key: str
    limit: int | None
    period_seconds: int | None
    in_flight_limit: int | None
    count: str
    allowed: int
    denied: int
    shadowed: int
    near: int
    identities_denied: int
    in_flight: int


class Surface(BaseModel):
    surface: str = Field(examples=["backend"])
    revision: int
    on_store_failure: str
    rules: list[Rule]
    instances: dict[str, int] = Field(description="API process -> the revision it has in use.")


class Surfaces(BaseModel):
    surfaces: list[Surface]


@router.get("/surfaces", summary="Every HTTP surface")
async def surfaces(_caller: Reader, parts: PartsOf) -> Surfaces:
    found = await parts.doors.do(Door.inspect_http)
    return Surfaces(surfaces=[view(state) for _, state in sorted(found.items())])


@router.get("/surfaces/{surface}", summary="One HTTP surface", responses=declared(404))
async def surface(
    surface: Annotated[str, Path(pattern=f"^{SURFACE.pattern}$")], _caller: Reader, parts: PartsOf
) -> Surface:
    found = (await parts.doors.do(Door.inspect_http)).get(surface)
    if found is None:
        raise Problem(404, f"No HTTPPolicy declares surface {surface} in this store.")
    return view(found)


def view(state: SurfaceState) -> Surface:
    rules = [_rule(rule, state.rules.get(rule.name, RuleCounts())) for rule in state.document.rules]
    return Surface(
        surface=state.surface,
        revision=state.revision,
        on_store_failure=state.document.on_store_failure,
        rules=rules,
        instances=dict(state.instances),
    )


def _rule(rule: HttpRule, counts: RuleCounts) -> Rule:
    return Rule(
        name=rule.name,
        mode=rule.mode,
        key=rule.header if rule.key == "Header" and rule.header else rule.key,
        limit=rule.rate.limit if rule.rate else None,
        period_seconds=rule.rate.period_ms // 1000 if rule.rate else None,
        in_flight_limit=rule.in_flight,
        count=rule.count,
        allowed=counts.allowed,
        denied=counts.denied,
        shadowed=counts.shadowed,
        near=counts.near,
        identities_denied=counts.identities_denied,
        in_flight=counts.in_flight,
    )
