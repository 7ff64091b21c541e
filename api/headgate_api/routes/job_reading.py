"""One job from RQ's keys: status, results and why it does not run, without running any of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from headgate.explain import Explanation, explain
from headgate.explain_job import JobFacts, explain_job
from headgate.gates.door import Door
from headgate_api import payloads, views
from headgate_api.routes.queues import executions

FIELDS = (
    "status", "origin", "description", "created_at", "enqueued_at", "started_at", "ended_at", "worker_name", "timeout",
    "exc_info", "data",
)  # fmt: skip
_CALL = re.compile(r"([^\s(]+)\(")
REDACTED = "<needs scope operate>"


class JobView(BaseModel):
    """A job as RQ keeps it. What it was called with and what came of it is shown to scope operate only."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(examples=["7e2f-12"])
    queue: str
    status: str = Field(examples=["queued", "started", "finished", "failed", "canceled"])
    function: str = Field(examples=["mail.send"])
    created_at: str
    enqueued_at: str
    started_at: str
    ended_at: str
    worker: str
    timeout_seconds: str
    error: str = Field(description="What was raised: its type, and for scope operate its text.")
    args: Any = Field(description="Or `<needs scope operate>`.")
    kwargs: Any
    result: Any
    traceback: str


class JobExplanation(BaseModel):
    """`sentence`: why it does not run yet, or what became of it. `queue`: when it waits in one that is declared."""

    id: str
    status: str
    sentence: str = Field(examples=["3 jobs before it in queue emails; the queue: held by rate.total"])
    position: int | None
    worker: str
    lease_ends: int | None
    queue: views.QueueExplanation | None


def read(door: Door, job_id: str, *, payload: bool) -> JobView | None:
    """`payload`: also arguments, result and traceback."""
    found = _hash(door, job_id)
    if found is None:
        return None
    outcome = latest(door, job_id)
    trace = traceback(outcome, found["exc_info"])
    error = payloads.cause(trace)
    call = _call(found)
    return JobView(
        id=job_id,
        queue=_text(found["origin"]),
        status=_text(found["status"]),
        function=call[0],
        created_at=_text(found["created_at"]),
        enqueued_at=_text(found["enqueued_at"]),
        started_at=_text(found["started_at"]),
        ended_at=_text(found["ended_at"]),
        worker=_text(found["worker_name"]),
        timeout_seconds=_text(found["timeout"]),
        error=error if payload else kind_of(error),
        args=call[1] if payload else REDACTED,
        kwargs=call[2] if payload else REDACTED,
        result=_result(outcome) if payload else REDACTED,
        traceback=trace if payload else REDACTED,
    )


def explained(door: Door, job_id: str) -> JobExplanation | None:
    found = _hash(door, job_id)
    if found is None:
        return None
    state, queue = door.inspect(), _text(found["origin"])
    why: Explanation | None = None
    known = executions(door, [queue])
    if queue in state.queues:
        declared = door.read_document(queue)
        why = explain(state, queue, declared and declared[1], executions(door, state.queues))
    leases = dict(pair for gate in (why.gates if why else ()) for pair in gate.holders)
    facts = _facts(door, job_id, found, known, leases)
    return JobExplanation(
        id=job_id,
        status=facts.status,
        sentence=explain_job(facts, why, state.now),
        position=facts.position,
        worker=facts.worker,
        lease_ends=facts.lease_ends,
        queue=views.explanation(state, why) if why and facts.status in ("queued", "scheduled") else None,
    )


def _facts(
    door: Door,
    job_id: str,
    found: Mapping[str, bytes],
    known: Mapping[str, tuple[str, str]],
    leases: Mapping[str, int],
) -> JobFacts:
    queue, status, keys = _text(found["origin"]), _text(found["status"]), door.keys
    execution = next((name for name, (_, job) in known.items() if job == job_id), "")
    due = door.command("ZSCORE", keys.scheduled(queue), job_id) if status == "scheduled" else None
    waits = door.command("SMEMBERS", keys.dependencies(job_id)) if status == "deferred" else ()
    return JobFacts(
        job_id,
        queue,
        status,
        position=door.command("LPOS", keys.queue(queue), job_id) if status == "queued" else None,
        due=int(float(due) * 1000) if due else None,
        worker=_text(found["worker_name"]),
        lease_ends=leases.get(execution),
        waits_for=sorted(_text(one).rpartition(":")[2] for one in waits),
        reason=_reason(door, job_id, found) if status == "failed" else "",
    )


def _reason(door: Door, job_id: str, found: Mapping[str, bytes]) -> str:
    return kind_of(payloads.cause(traceback(latest(door, job_id), found["exc_info"])))


def function_of(description: bytes | None) -> str:
    """From RQ's description of the call; it holds the arguments too, so the rest is dropped."""
    match = _CALL.match(_text(description)[:300])
    return match[1] if match else ""


def kind_of(error: str) -> str:
    """`ValueError: a@b.c is no name` -> `ValueError`: the rest may be a payload."""
    return error.partition(":")[0].strip() if re.match(r"[A-Za-z_][\w.]*(:|$)", error) else ""


def latest(door: Door, job_id: str) -> Mapping[str, bytes]:
    """RQ's newest result record; empty when there is none."""
    found = door.command("XREVRANGE", door.keys.results(job_id), "+", "-", "COUNT", 1)
    if not found:
        return {}
    flat = found[0][1]
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _hash(door: Door, job_id: str) -> Mapping[str, bytes] | None:
    key = door.keys.job(job_id)
    size = door.command("HSTRLEN", key, "data")
    names = FIELDS if size <= payloads.LONGEST_BYTES else FIELDS[:-1]
    values = [value or b"" for value in door.command("HMGET", key, *names)]
    found = dict(zip(names, values, strict=True))
    if not any(values):
        return None
    return {"data": b"", **found}


def _call(found: Mapping[str, bytes]) -> tuple[str, Any, Any]:
    name = function_of(found["description"])
    if not found["data"]:
        return name, "<not shown: too large, or gone>", "<not shown: too large, or gone>"
    try:
        function, args, kwargs = payloads.call_of(found["data"])
    except payloads.Unreadable as error:
        return name, f"<not shown: {error}>", f"<not shown: {error}>"
    return payloads.shown(lambda: function), payloads.shown(lambda: args), payloads.shown(lambda: kwargs)


def _result(outcome: Mapping[str, bytes]) -> Any:
    raw = outcome.get("return_value")
    if raw is None:
        return None
    try:
        data = base64.b64decode(raw)
    except (binascii.Error, ValueError):
        return "<not shown: it is broken>"
    return payloads.shown(lambda: payloads.loads(data))


def traceback(outcome: Mapping[str, bytes], old: bytes | None) -> str:
    """From the result; `old`: the field exc_info of the job's hash, where RQ kept it before."""
    if outcome.get("exc_string"):
        return payloads.traceback_of(outcome["exc_string"])
    try:
        return payloads.text(payloads.unzip(old), payloads.LONGEST_BYTES) if old else ""
    except payloads.Unreadable as error:
        return f"<not shown: {error}>"


def _text(raw: bytes | None) -> str:
    return payloads.text(raw or b"")
