"""Leases: what an instance holds, how it renews, and what becomes of what it lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

LEASE_MS = 20_000
"""A holder's place lapses this long after its last renewal."""
RENEW_MS = 5_000
"""How often a supervisor renews."""
SEAL_MS = 60_000
"""How long `seal` protects an execution while RQ's own code finishes it."""
WAKE_MS = 500
"""How long a freed budget place stays reserved for the pod that was woken."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A running execution as its supervisor knows it: enough to put it back after data was lost."""

    queue: str
    slot: str
    job_id: str
    execution: str
    fence: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlotBeat:
    """One slot (= RQ worker) as its supervisor knows it. The counters only grow, from 0 at the slot's first beat.

    The script adds what is new since the last beat to RQ's counters in the worker hash: a beat sent twice counts once.
    """

    slot: str
    successes: int = 0
    working_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """What a supervisor says of itself every `RENEW_MS`. `slots` are all of its slots, busy and idle.

    `short_of_memory`: it starts nothing until it has more (`workers.memory`).
    """

    instance: str
    pod: str
    queue: str
    revision: int
    slots: Sequence[SlotBeat]
    holdings: Sequence[Holding]
    short_of_memory: bool = False


class Kept(StrEnum):
    """KEPT; READDED: was missing after data loss and is back; GONE: lost, stop the job and discard what it returns."""

    KEPT = "kept"
    GONE = "gone"
    READDED = "readded"


@dataclass(frozen=True, slots=True)
class Renewal:
    """`kept` per execution id. `wake`: there is room and work for an idle slot. `quarantine_until` 0 when none.

    `revision` is the policy's in the store, 0 when there is none. `unregistered`: slots whose RQ worker hash is gone
    (data loss): register them again. `now` is the store's clock (ms).
    """

    kept: Mapping[str, Kept]
    revision: int
    wake: bool
    quarantine_until: int
    reaped: tuple[Reaped, ...] = ()
    unregistered: tuple[str, ...] = ()
    now: int = 0


class Fate(StrEnum):
    REQUEUED = "requeued"
    FAILED = "failed"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Reaped:
    """An execution whose lease lapsed: its job was put back, or belongs to the dead set and RQ's failure code must run.

    FAILED and POISON: run RQ's failure code for the job, then `release(reaped.holding)`. Whoever dies between gets it
    reaped again after `SEAL_MS`. The worker that lost the lease can no longer finish.
    """

    queue: str
    job_id: str
    execution: str
    fate: Fate
    losses: int = 0

    @property
    def holding(self) -> Holding:
        """What to release once RQ's failure code ran; no slot: it is the reaper's mark, not the lost execution."""
        return Holding(self.queue, "", self.job_id, self.execution, 0, ())
