"""Periodic tasks and their runs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from headgate.gates.door import Door
from headgate.gates.runs import TaskState
from headgate_api.auth import Reader
from headgate_api.parts import PartsOf
from headgate_api.problems import Problem, declared

router = APIRouter(prefix="/v1", tags=["periodic tasks"], responses=declared(401, 403, 422, 429, 503))
NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
Name = Annotated[str, Path(pattern=NAME)]


class Run(BaseModel):
    """The run that holds the lease now. Times in ms."""

    run: str
    pod: str
    since: int
    lease_ends: int


class Task(BaseModel):
    """Times in ms of the store's clock, 0 for never. `skipped`: distinct ticks that found a run still going."""

    name: str = Field(examples=["shop/sync"])
    revision: int
    schedule: str = Field(examples=["* * * * *"])
    time_zone: str
    stop_policy: Literal["None", "Hold"]
    on_overlap: Literal["Skip", "RunLate"]
    type: Literal["Run", "Enqueue"]
    function: str
    queue: str | None
    deadline_seconds: int
    running: Run | None
    last_tick: int
    last_started: int
    last_ended: int
    last_success: int
    last_outcome: Literal["", "ok", "failed", "lost", "deadline"]
    skipped: int
    skips_in_a_row: int
    last_skipped_tick: int


class Tasks(BaseModel):
    tasks: list[Task]


@router.get("/periodic", summary="Every periodic task and its last run")
async def tasks(_caller: Reader, parts: PartsOf) -> Tasks:
    found = await parts.doors.do(Door.inspect_tasks)
    return Tasks(tasks=[view(state) for _, state in sorted(found.items())])


@router.get("/periodic/{namespace}/{name}", summary="One periodic task", responses=declared(404))
async def task(namespace: Name, name: Name, _caller: Reader, parts: PartsOf) -> Task:
    found = (await parts.doors.do(Door.inspect_tasks)).get(f"{namespace}/{name}")
    if found is None:
        raise Problem(404, f"No periodic task {namespace}/{name} is published in this store.")
    return view(found)


def view(state: TaskState) -> Task:
    document = state.document
    run = Run(run=state.running, pod=state.running_pod, since=state.running_since, lease_ends=state.lease_end)
    return Task(
        name=state.name,
        revision=state.revision,
        schedule=document.schedule,
        time_zone=document.time_zone,
        stop_policy=document.stop_policy,
        on_overlap=document.on_overlap,
        type=document.type,
        function=document.function,
        queue=document.queue,
        deadline_seconds=document.deadline_seconds,
        running=run if state.running else None,
        last_tick=state.last_tick,
        last_started=state.last_started,
        last_ended=state.last_ended,
        last_success=state.last_success,
        last_outcome=state.last_outcome,
        skipped=state.skipped,
        skips_in_a_row=state.skips_in_a_row,
        last_skipped_tick=state.last_skipped_tick,
    )
