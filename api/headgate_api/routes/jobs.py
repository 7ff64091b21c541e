"""Jobs: enqueue, look, cancel, requeue."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from headgate.gates.door import Door
from headgate.gates.verbs import Enqueue, EnqueueAnswer, Exists, Full
from headgate.model.documents import QueueDocument
from headgate_api.auth import Operator, Producer, Reader
from headgate_api.parts import Parts, PartsOf
from headgate_api.problems import Problem, declared, too_soon
from headgate_api.routes import job_reading
from headgate_api.routes.rq_store import NewJob, Refused
from headgate_api.views import JobId, QueueName

T = TypeVar("T")
router = APIRouter(prefix="/v1", responses=declared(401, 403, 413, 422, 429, 503))
FUNCTION = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"
DEEPEST = 32
BACKLOG_RETRY_MS = 5_000
YEAR_SECONDS = 365 * 86_400


class NewJobBody(BaseModel):
    """A call of a function that the queue's policy lists. Arguments are JSON values."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"function": "mail.send", "args": ["ada@example.com"], "key": "acme"}]},
    )

    function: Annotated[str, Field(pattern=FUNCTION, max_length=255)]
    args: Annotated[list[Any], Field(max_length=256)] = []
    kwargs: Annotated[dict[str, Any], Field(max_length=256)] = {}
    key: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """What perKey limits count it by."""
    timeout_seconds: Annotated[int, Field(ge=1, le=604_800)] | None = None
    result_ttl_seconds: Annotated[int, Field(ge=-1, le=YEAR_SECONDS)] | None = None
    ttl_seconds: Annotated[int, Field(ge=1, le=YEAR_SECONDS)] | None = None
    """It is dropped when it has not started by then."""

    @field_validator("args", "kwargs")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        _check(value, 0)
        return value


def _check(value: Any, depth: int) -> None:
    """What every JSON reader would read the same."""
    if depth > DEEPEST:
        raise ValueError(f"at most {DEEPEST} values inside one another")
    if isinstance(value, dict):
        for key, one in value.items():
            _check(key, depth + 1)
            _check(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _check(one, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("NaN and Infinity are no JSON")
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair is no text") from None


class QueuedJob(BaseModel):
    """`existing`: the same idempotency key was used within 24 hours, and this is the job from then."""

    id: str = Field(examples=["0f9c3f5e-7a55-4fd5-9fd8-0d4f0d0a9b3a"])
    queue: str = Field(examples=["emails"])
    existing: bool = False
    length: int | None = Field(default=None, description="Of the queue, with this job.")


class Outcome(BaseModel):
    id: str
    outcome: str = Field(examples=["canceled", "stopping", "requeued", "deleted"])


@router.post(
    "/queues/{queue}/jobs",
    tags=["jobs"],
    summary="Enqueue a job",
    status_code=201,
    responses={
        200: {"model": QueuedJob, "description": "What this key enqueued before."},
        **declared(400, 404),
    },
)
async def enqueue(
    queue: QueueName,
    body: NewJobBody,
    response: Response,
    _caller: Producer,
    parts: PartsOf,
    idempotency_key: Annotated[
        str | None, Header(pattern=r"^[!-~]{1,128}$", description="Makes it safe to send again within 24 hours.")
    ] = None,
) -> QueuedJob:
    """As RQ does, within the policy's backlog: 429 with Retry-After when that is full."""
    answer = await parts.doors.do(lambda door: _enqueue(door, parts, queue, body, idempotency_key or ""))
    if isinstance(answer, Full):
        raise too_soon(429, f"Queue {queue} is full: {answer.length} of {answer.limit} jobs.", BACKLOG_RETRY_MS)
    response.headers["Location"] = f"/v1/jobs/{answer.job_id}"
    if isinstance(answer, Exists):
        response.status_code = 200
        return QueuedJob(id=answer.job_id, queue=queue, existing=True)
    parts.doors.forget()
    return QueuedJob(id=answer.job_id, queue=queue, length=answer.length)


def _enqueue(door: Door, parts: Parts, queue: str, body: NewJobBody, key: str) -> EnqueueAnswer:
    found = door.read_document(queue)
    if found is None:
        raise Problem(404, f"No policy declares queue {queue} in this store.")
    document = found[1]
    _allowed(document, body.function, parts.settings.functions)
    new = NewJob(
        body.function,
        body.args,
        body.kwargs,
        body.timeout_seconds,
        body.result_ttl_seconds,
        body.ttl_seconds,
        {document.key_field: body.key} if body.key else None,
    )
    job_id, fields = parts.rq.fields(queue, new, as_json=document.jobs.payload == "JSON")
    return door.enqueue(Enqueue(queue, job_id, fields, key, ttl=body.ttl_seconds))


def _allowed(document: QueueDocument, function: str, here: tuple[str, ...]) -> None:
    """The policy's list where there is one, else this service's own."""
    allowed = document.jobs.functions if document.jobs.functions is not None else here
    if function not in allowed:
        where = "jobs.functions of its policy" if document.jobs.functions is not None else "HEADGATE_FUNCTIONS"
        raise Problem(403, f"This function may not be enqueued in queue {document.queue}: it is not in {where}.")


@router.get("/jobs/{job_id}", tags=["jobs"], summary="A job's status and result", responses=declared(404))
async def job(job_id: JobId, caller: Reader, parts: PartsOf) -> job_reading.JobView:
    """Arguments, result and traceback only for scope operate. Nothing of the job is run to read it."""
    payload = caller.sees_payloads
    return _found(job_id, await parts.doors.do(lambda door: job_reading.read(door, job_id, payload=payload)))


@router.get("/jobs/{job_id}/explain", tags=["explain"], summary="Why a job does not run yet", responses=declared(404))
async def explain_job(job_id: JobId, _caller: Reader, parts: PartsOf) -> job_reading.JobExplanation:
    """Where it stands, which gate holds its queue, who holds that gate, and until when."""
    return _found(job_id, await parts.doors.do(lambda door: job_reading.explained(door, job_id)))


@router.post("/jobs/{job_id}/cancel", tags=["jobs"], summary="Cancel a job", responses=declared(404, 409))
async def cancel(job_id: JobId, _caller: Operator, parts: PartsOf) -> Outcome:
    """One that waits is taken out of its queue; one that runs is stopped by its worker (`stopping`)."""
    return Outcome(id=job_id, outcome=await _act(parts, job_id, lambda _door: parts.rq.cancel(job_id)))


@router.post("/jobs/{job_id}/requeue", tags=["jobs", "dead set"], summary="Requeue", responses=declared(404, 409))
async def requeue(job_id: JobId, _caller: Operator, parts: PartsOf) -> Outcome:
    """Out of the dead set, to the end of its queue, as RQ does it."""
    await _act(parts, job_id, lambda _door: parts.rq.requeue(job_id))
    return Outcome(id=job_id, outcome="requeued")


@router.delete("/dead/{job_id}", tags=["dead set"], summary="Delete a dead job", responses=declared(404, 409))
async def delete(job_id: JobId, _caller: Operator, parts: PartsOf) -> Outcome:
    """The job and its results, for good."""
    await _act(parts, job_id, lambda _door: parts.rq.delete(job_id))
    return Outcome(id=job_id, outcome="deleted")


async def _act(parts: Parts, job_id: str, act: Callable[[Door], T]) -> T:
    try:
        done = await parts.doors.do(act)
    except KeyError:
        raise Problem(404, f"There is no job {job_id}.") from None
    except Refused as error:
        raise Problem(409, f"Job {job_id}: {error}.") from None
    parts.doors.forget()
    return done


def _found(job_id: str, found: T | None) -> T:
    if found is None:
        raise Problem(404, f"There is no job {job_id}.")
    return found
