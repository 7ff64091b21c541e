"""Verbs to script arguments: what follows prefix, epoch and seq in ARGV. The Lua files say what each position means."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from headgate.gates.verbs import (
    Beat,
    Claim,
    Declared,
    Deferred,
    Done,
    Enqueue,
    Finish,
    Holding,
    Lost,
    Owner,
    Returned,
)  # fmt: skip
from headgate.gates.wire import Argument
from headgate.model.documents import Document


def claim(claim: Claim) -> list[Argument]:
    arguments: list[Argument] = [claim.queue, claim.slot, claim.instance, claim.nonce, claim.execution]
    for job_id, key in claim.lane_keys.items():
        arguments += (job_id, "-" if key is None else f"={key}")
    return arguments


def finish(finish: Finish) -> list[Argument]:
    return [finish.queue, finish.slot, "", "", "", *_ended(finish)]


def finish_claim(finish: Finish, claim: Claim) -> list[Argument]:
    return [finish.queue, finish.slot, claim.instance, claim.nonce, claim.execution, *_ended(finish)]


def _ended(finish: Finish) -> list[Argument]:
    outcome = finish.outcome
    arguments: list[Argument] = [finish.job_id, finish.execution]
    if isinstance(outcome, Done):
        started, ended = outcome.started_at, outcome.ended_at
        arguments += ("D", outcome.result, outcome.result_ttl, started, ended, _epoch(started), _epoch(ended))
    elif isinstance(outcome, Deferred):
        arguments += ("F", outcome.scope, outcome.ms, "", "", "", "")
    elif isinstance(outcome, Returned | Lost):
        arguments += ("R" if isinstance(outcome, Returned) else "L", "", "", "", "", "", "")
    arguments += (len(finish.places), *_places(finish.places))
    if isinstance(outcome, Done) and outcome.changes:
        for name, value in outcome.changes.items():
            arguments += (name, value)
    return arguments


def _places(places: Sequence[str]) -> list[bytes]:
    """A perKey key may be any bytes."""
    return [place.encode(errors="surrogateescape") for place in places]


def _epoch(iso: str) -> str:
    """RQ's ISO time (2026-11-24T23:11:38.000042Z) as epoch seconds, as `Result` stores it."""
    return f"{_minute(iso[:17]) + float(iso[17:-1]):.6f}"


@lru_cache(maxsize=8)
def _minute(start: str) -> float:
    return datetime.fromisoformat(f"{start}00+00:00").timestamp()


def holding(holding: Holding) -> list[Argument]:
    return [holding.queue, holding.slot, holding.job_id, holding.execution, *_places(holding.places)]


def renew(beat: Beat) -> list[Argument]:
    arguments: list[Argument] = [beat.queue, beat.instance, beat.pod, beat.revision, len(beat.slots)]
    for slot in beat.slots:
        arguments += (slot.slot, slot.successes, f"{slot.working_seconds:.6f}")
    arguments.append(len(beat.holdings))
    for held in beat.holdings:
        arguments += (held.slot, held.job_id, held.execution, len(held.places), *_places(held.places))
    arguments.append(int(beat.short_of_memory))
    return arguments


def reap(limit: int, dead: bool) -> list[Argument]:
    return [limit, int(dead)]


def enqueue(enqueue: Enqueue) -> list[Argument]:
    arguments: list[Argument] = [enqueue.queue, enqueue.job_id, enqueue.idempotency_key]
    arguments += (int(enqueue.at_front), enqueue.ttl or 0)
    for name, value in enqueue.fields.items():
        arguments += (name, value)
    return arguments


def publish(document: Document, owner: Owner, replaces_uid: str | None) -> list[Argument]:
    text = document.model_dump_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    return [
        document.kind,
        document.name,
        text,
        digest,
        owner.name,
        owner.uid,
        owner.generation,
        owner.cluster,
        replaces_uid or "",
        "",
    ]


def restore(copy: Declared[Document]) -> list[Argument]:
    return [*publish(copy.document, copy.owner, None)[:-1], copy.revision]


def unpublish(kind: str, name: str, owner: Owner) -> Sequence[Argument]:
    return [kind, name, owner.name, owner.uid]
