"""What runs, from RQ's registries, and the documents in force: one call, for who shows a whole store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from headgate.gates.door import Door
from headgate.gates.scripts import Script, load
from headgate.model.documents import BudgetDocument, Document, QueueDocument


@dataclass(frozen=True, slots=True)
class RunningJob:
    """`started` (ms) 0 and `function` "" when RQ does not say. `function` never holds arguments.

    `lease_end` (ms) 0: it holds no place, so another program runs it.
    """

    execution: str
    job_id: str
    queue: str
    slot: str
    started: int
    function: str
    lease_end: int = 0


@dataclass(frozen=True, slots=True)
class Declared:
    """A queue or budget: its revision, its document unless the caller knows that revision, dead jobs, what runs."""

    revision: int
    document: Document | None
    dead: int
    running: tuple[RunningJob, ...]


def read_jobs(door: Door, known: Mapping[str, int]) -> Mapping[str, Declared]:
    """`known`: the revision the caller has (0: none) of each `queue/<queue>` and `budget/<name>` it asks for."""
    pairs = [part for field, revision in known.items() for part in (field, str(revision))]
    reply = door.command("EVAL", _script().text, "1", door.keys.meta, door.keys.prefix, "", "", *pairs)
    flat = reply[3]
    return {_text(flat[i]): _declared(*flat[i : i + 5]) for i in range(0, len(flat), 5)}


@cache
def _script() -> Script:
    return load("inspect_jobs")


def _declared(field: bytes, revision: bytes, document: bytes, dead: int, flat: Sequence[Any]) -> Declared:
    kind, _, name = _text(field).partition("/")
    sort: type[QueueDocument] | type[BudgetDocument] = QueueDocument if kind == "queue" else BudgetDocument
    read = sort.model_validate_json(document) if document else None
    return Declared(int(revision or 0), read, int(dead), tuple(_running(name, flat)))


def _running(queue: str, flat: Sequence[bytes]) -> Iterator[RunningJob]:
    for i in range(0, len(flat), 6):
        execution, job_id, slot, started, function, end = (_text(value) for value in flat[i : i + 6])
        yield RunningJob(execution, job_id, queue, slot, _milliseconds(started), function, int(float(end)))


def _milliseconds(started: str) -> int:
    """RQ writes epoch seconds or ISO 8601."""
    try:
        return int(float(started) * 1000)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(started).timestamp() * 1000)
    except ValueError:
        return 0


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
