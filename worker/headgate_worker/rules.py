"""What a policy document means for a slot: how payloads are read, which functions run, how long a job may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.model.documents import QueueDocument
from headgate_worker.functions import Functions
from headgate_worker.payload import Payload, reader, serializer_for
from headgate_worker.timeouts import Times


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one revision. `serializer` is for RQ's own code, which must not read more than `read` does."""

    revision: int
    read: Callable[[Mapping[bytes, bytes]], Payload]
    functions: Functions
    serializer: Any
    times: Times
    key_field: str
    requeue_lost: bool
    most_losses: int


def rules_of(revision: int, document: QueueDocument, payload_limit: int) -> Rules:
    jobs = document.jobs
    return Rules(
        revision=revision,
        read=reader(jobs.payload, payload_limit),
        functions=Functions(jobs.functions, trusted=jobs.payload == "Any"),
        serializer=serializer_for(jobs.payload),
        times=Times(jobs.deadline_seconds),
        key_field=document.key_field,
        requeue_lost=jobs.on_worker_lost == "Requeue",
        most_losses=jobs.max_losses,
    )
