"""What `inspect` sees: gates, instances, queues and the whole store, from one read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headgate.gates.overrides import OverrideState
from headgate.gates.owners import Owner


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate as it stands: `name` in Blocker's words, `holders` execution ids with their lease's end (ms).

    `reserved`: free places of a budget that no job may take (`httpReserved` less the requests in it).
    """

    name: str
    limit: int
    period_ms: int
    used: int
    open_at: int | None
    holders: Sequence[tuple[str, int]] = ()
    waiting: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """A worker pod as it last renewed: `revision` is what it has in use; `slots` busy and all."""

    name: str
    pod: str
    queue: str
    revision: int
    slots: int
    busy: int
    renewed_at: int
    short_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class QueueState:
    """Everything the operator and `explain` need of one queue, from one read."""

    queue: str
    revision: int
    owner: Owner | None
    queued: int
    running: int
    due: int
    gates: Sequence[GateState]
    instances: Sequence[Instance]
    foreign_workers: Sequence[str]
    blocked_by: str
    blocked_until: int | None
    keyless: int = 0
    shadowed: Mapping[str, int] = field(default_factory=dict)
    poison: int = 0
    """Jobs in the dead set now that killed their process too often."""
    poisoned: int = 0
    """How many became so, ever."""
    override: OverrideState | None = None
    """What an operator set, while it is in force."""


@dataclass(frozen=True, slots=True)
class StoreState:
    now: int
    epoch: str
    seq: int
    quarantine_until: int
    queues: Mapping[str, QueueState]
    budgets: Mapping[str, Sequence[GateState]]
    owners: Mapping[str, Owner]
