"""Overrides: other limits for a queue until a moment, with the reason and who set them."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headgate.gates.overrides import MAX_OVERRIDE_MS, Override
from headgate.model.documents import RateDocument
from headgate_api import views
from headgate_api.auth import Operator, Reader
from headgate_api.parts import PartsOf
from headgate_api.problems import Problem, declared
from headgate_api.views import OverrideView, QueueName, Rate, StopPolicy

router = APIRouter(prefix="/v1", tags=["overrides"], responses=declared(401, 403, 413, 422, 429, 503))


class OverrideBody(BaseModel):
    """What is absent stays as declared. It ends `seconds` from the store's now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"total": 2, "seconds": 3600, "reason": "the mail provider is slow"}]},
    )

    seconds: Annotated[int, Field(ge=1, le=MAX_OVERRIDE_MS // 1000)]
    reason: Annotated[str, Field(min_length=1, max_length=256)]
    stop_policy: StopPolicy | None = None
    total: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rate_total: Rate | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.stop_policy is None and self.total is None and self.rate_total is None:
            raise ValueError("name stop_policy, total or rate_total")
        return self


class Overrides(BaseModel):
    now: int
    overrides: list[OverrideView]


@router.get("/overrides", summary="Every override in force")
async def overrides(_caller: Reader, parts: PartsOf) -> Overrides:
    """Those that were set here; what a policy itself declares is in its document."""
    state = await parts.doors.state()
    found = [views.override(name, one.override) for name, one in sorted(state.queues.items()) if one.override]
    return Overrides(now=state.now, overrides=found)


@router.put("/queues/{queue}/override", summary="Override a queue's limits", responses=declared(400, 404))
async def put(queue: QueueName, body: OverrideBody, caller: Operator, parts: PartsOf) -> OverrideView:
    """In force for the next start, whatever is published meanwhile, until it expires. Replaces an earlier one."""
    rate = body.rate_total
    wanted = Override(
        queue,
        body.seconds * 1000,
        body.reason,
        caller.name,
        body.stop_policy,
        body.total,
        RateDocument(limit=rate.limit, period_ms=rate.period_seconds * 1000) if rate else None,
    )
    expires = await parts.doors.do(lambda door: door.override(wanted))
    parts.doors.forget()
    if expires is None:
        raise Problem(404, f"No policy declares queue {queue} in this store.")
    return OverrideView(
        queue=queue,
        stop_policy=body.stop_policy,
        total=body.total,
        rate_total=rate,
        reason=body.reason,
        by=caller.name,
        since=expires - wanted.ms,
        expires=expires,
    )


@router.delete("/queues/{queue}/override", summary="End an override", status_code=204, responses=declared(404))
async def delete(queue: QueueName, _caller: Operator, parts: PartsOf) -> None:
    if not await parts.doors.do(lambda door: door.clear_override(queue)):
        raise Problem(404, f"Queue {queue} has no override.")
    parts.doors.forget()
