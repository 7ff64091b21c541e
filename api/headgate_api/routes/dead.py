"""The dead set: what failed for good, by RQ's failed registries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from headgate.gates.door import Door
from headgate_api import payloads
from headgate_api.auth import Reader
from headgate_api.parts import PartsOf
from headgate_api.problems import declared
from headgate_api.routes import job_reading

router = APIRouter(prefix="/v1", tags=["dead set"], responses=declared(401, 403, 422, 429, 503))
MOST_QUEUES = 1_000


class DeadJob(BaseModel):
    id: str
    queue: str
    function: str = Field(examples=["mail.send"])
    ended_at: str
    reason: str = Field(description="What was raised: its type; for scope operate its text.", examples=["ValueError"])


class DeadSet(BaseModel):
    """`total` in all of these queues; `jobs`: those of this page, the newest of each queue first."""

    total: int
    jobs: list[DeadJob]


@router.get("/dead", summary="Jobs that failed for good")
async def dead(
    caller: Reader,
    parts: PartsOf,
    queue: Annotated[str | None, Query(max_length=64, description="Of one queue only.")] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeadSet:
    payload = caller.sees_payloads
    return await parts.doors.do(lambda door: _dead(door, queue, offset, limit, payload))


def _dead(door: Door, queue: str | None, offset: int, limit: int, payload: bool) -> DeadSet:
    names = [queue] if queue is not None else _queues(door)
    total, skip = 0, offset
    found: list[DeadJob] = []
    for name in names:
        count = door.command("ZCARD", door.keys.failed(name))
        total += count
        wanted = limit - len(found)
        if skip < count and wanted:
            ids = door.command("ZREVRANGE", door.keys.failed(name), skip, skip + wanted - 1)
            found += [_job(door, name, payloads.text(one), payload) for one in ids]
        skip = max(0, skip - count)
    return DeadSet(total=total, jobs=found)


def _queues(door: Door) -> list[str]:
    """RQ's own list: a queue may have dead jobs without a policy."""
    prefix = f"{door.keys.prefix}:queue:"
    names = (payloads.text(key).removeprefix(prefix) for key in door.command("SMEMBERS", door.keys.queues))
    return sorted(names)[:MOST_QUEUES]


def _job(door: Door, queue: str, job_id: str, payload: bool) -> DeadJob:
    ended, description, old = door.command("HMGET", door.keys.job(job_id), "ended_at", "description", "exc_info")
    outcome = job_reading.latest(door, job_id)
    error = payloads.cause(job_reading.traceback(outcome, old))
    return DeadJob(
        id=job_id,
        queue=queue,
        function=job_reading.function_of(description),
        ended_at=payloads.text(ended or b""),
        reason=error if payload else job_reading.kind_of(error),
    )
