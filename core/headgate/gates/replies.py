"""Script replies to verbs' answers. Every reply begins with (epoch, seq, now); `body` is what follows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from headgate.errors import NewerDocument
from headgate.gates.verbs import (
    ClaimAnswer,
    Declarations,
    Declared,
    Empty,
    EnqueueAnswer,
    Exists,
    Fate,
    Finished,
    Full,
    Grant,
    Held,
    Holding,
    Kept,
    KeysWanted,
    NoPolicy,
    Owned,
    Owner,
    PublishAnswer,
    Published,
    Quarantine,
    Queued,
    Reaped,
    Renewal,
    Same,
    Stale,
    Wait,
)  # fmt: skip
from headgate.model.documents import BudgetDocument, QueueDocument

T = TypeVar("T", bound=BaseModel)


def claim(answer: Sequence[Any], execution: str) -> ClaimAnswer:
    code = answer[0]
    if code == b"G":
        flat = answer[6]
        return Grant(
            job_id=answer[1].decode(),
            execution=execution,
            fence=answer[2],
            job=dict(zip(flat[::2], flat[1::2], strict=True)),
            places=tuple([place.decode(errors="surrogateescape") for place in answer[5]]),
            more=answer[3] == 1,
            revision=answer[4],
        )
    if code == b"E":
        return Empty(answer[1])
    if code == b"W":
        return Wait(answer[1].decode(), answer[2] or None, answer[3])
    if code == b"K":
        return KeysWanted(tuple(job_id.decode() for job_id in answer[1]))
    if code == b"H":
        return Held(suspended=answer[1] == 1)
    return Quarantine(answer[1]) if code == b"Q" else NoPolicy()


def finished(code: bytes) -> Finished:
    return Finished(code.decode())


def renewal(body: Sequence[Any], holdings: Sequence[Holding], now: int) -> Renewal:
    kept = {held.execution: Kept(answer.decode()) for held, answer in zip(holdings, body[0], strict=True)}
    return Renewal(
        kept=kept,
        revision=body[1],
        wake=body[2] == 1,
        quarantine_until=body[3],
        reaped=reaped(body[4]),
        unregistered=tuple(slot.decode() for slot in body[5]),
        now=now,
    )


def reaped(flat: Sequence[Any]) -> tuple[Reaped, ...]:
    return tuple(
        Reaped(flat[i].decode(), flat[i + 1].decode(), flat[i + 2].decode(), Fate(flat[i + 3].decode()), flat[i + 4])
        for i in range(0, len(flat), 5)
    )


def enqueued(body: Sequence[Any], job_id: str) -> EnqueueAnswer:
    if body[0] == b"queued":
        return Queued(job_id, body[1])
    return Exists(body[1].decode()) if body[0] == b"exists" else Full(body[1], body[2])


def published(body: Sequence[Any]) -> PublishAnswer:
    if body[0] == b"published":
        return Published(body[1])
    if body[0] == b"same":
        return Same(body[1])
    return Stale(body[1]) if body[0] == b"stale" else Owned(owner(body[1]))


def owner(text: str | bytes) -> Owner:
    record: Mapping[str, Any] = json.loads(text)
    return Owner(record["name"], record["uid"], int(record["generation"]), record["cluster"])


def document(revision: bytes | None, text: bytes | None) -> tuple[int, QueueDocument] | None:
    return None if text is None else (int(revision or 0), _understood(QueueDocument, text))


def _understood(model: type[T], text: bytes) -> T:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise NewerDocument(
            f"the published policy has what this version does not know ({field}): update this program's image"
        ) from error


def declarations(epoch: bytes, flat: Sequence[Any]) -> Declarations:
    """`flat`: kind, revision, document and owner of the queue (when it is published), then of each budget."""
    queue, budgets = None, []
    for i in range(0, len(flat), 4):
        revision, who = int(flat[i + 1]), owner(flat[i + 3])
        if flat[i] == b"queue":
            queue = Declared(revision, _understood(QueueDocument, flat[i + 2]), who)
        else:
            budgets.append(Declared(revision, _understood(BudgetDocument, flat[i + 2]), who))
    return Declarations(epoch.decode(), queue, tuple(budgets))
