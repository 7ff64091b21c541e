"""All that the reference store holds. Gates keep their own data (leases, rates, budgets, lanes); this ties it up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from headgate.gates.model.budgets import Budget
from headgate.gates.model.clock import Clock
from headgate.gates.model.http_state import Http
from headgate.gates.model.lanes import Lanes
from headgate.gates.model.leases import Leases
from headgate.gates.model.rates import Buckets, Ring
from headgate.gates.model.rq import Rq
from headgate.gates.model.tasks import Task
from headgate.gates.overrides import OverrideState
from headgate.gates.samples import Process
from headgate.gates.verbs import Finished, Grant, Owner
from headgate.model.documents import Document, QueueDocument

INSTANCE_MS = 15_000
"""An instance that did not renew for three beats is dead."""
SLOT_MS = 60_000
"""How long a slot's last claim and last finish are remembered after its last beat."""


@dataclass(slots=True)
class Meta:
    """What tells that data was lost. `clock`: time (ms) of the last beat; `lost`: the last epoch given up."""

    epoch: str = ""
    seq: int = 0
    clock: int | None = None
    quarantine_until: int = 0
    full_at: int = 0
    """Microseconds: every rate window counts as full then."""
    revision: int = 0
    lost: str = ""


@dataclass(slots=True)
class Policy:
    """A published queue document. `sleep` (us): a job said RateLimited. `override`: an operator's, expired ones too."""

    revision: int
    document: QueueDocument
    sleep: int = 0
    override: OverrideState | None = None


@dataclass(slots=True)
class QueueGates:
    """What a queue's own gates hold. `wait` and `rate_wait`: instances that wait for a place or an opening (ms)."""

    held: Leases = field(default_factory=Leases)
    starts: Ring = field(default_factory=Ring)
    wait: dict[str, int] = field(default_factory=dict)
    rate_wait: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Holder -> key."""
    key_held: dict[str, Leases] = field(default_factory=dict)
    key_rings: dict[str, Ring] = field(default_factory=dict)
    key_buckets: dict[str, Buckets] = field(default_factory=dict)
    lanes: Lanes = field(default_factory=Lanes)
    shadowed: Counter[str] = field(default_factory=Counter)
    keyless: int = 0
    poison: set[str] = field(default_factory=set)
    poisoned: int = 0
    refused: tuple[str, int, int] = ("", 0, 0)
    """The last refusal: blocker, when, until when (ms)."""


@dataclass(slots=True)
class Declaration:
    """Who declares a document, and which."""

    owner: Owner
    document: Document
    revision: int
    restored: bool = False
    """A copy put it back after data loss; a newer copy may replace it."""


@dataclass(slots=True)
class InstanceBeat:
    pod: str
    queue: str
    revision: int
    slots: int
    busy: int
    at: int
    short_of_memory: bool


@dataclass(slots=True)
class SlotRecord:
    """What makes a slot's claim and finish repeatable. `done`: the last execution it ended, and how."""

    expires: int
    nonce: str = ""
    grant: Grant | None = None
    done: tuple[str, Finished] | None = None


@dataclass(slots=True)
class Store:
    clock: Clock = field(default_factory=Clock)
    meta: Meta = field(default_factory=Meta)
    rq: Rq = field(default_factory=Rq)
    policies: dict[str, Policy] = field(default_factory=dict)
    queues: dict[str, QueueGates] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    owners: dict[str, Declaration] = field(default_factory=dict)
    """`<kind>/<name>` of a document -> declaration."""
    unpublished: dict[tuple[str, str], int] = field(default_factory=dict)
    """(field of owners, uid) that no copy may bring back -> until when (ms)."""
    http: Http = field(default_factory=Http)
    tasks: dict[str, Task] = field(default_factory=dict)
    draining: set[str] = field(default_factory=set)
    """Unpublished queues where something still runs."""
    instances: dict[str, InstanceBeat] = field(default_factory=dict)
    worker_starts: dict[str, Ring] = field(default_factory=dict)
    slots: dict[str, SlotRecord] = field(default_factory=dict)
    idempotency: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """(queue, key) -> (job id, until when (ms))."""
    samples: dict[str, Process] = field(default_factory=dict)
    """What processes said of themselves, the one that spoke last at the end."""
    woken: list[tuple[str, str]] = field(default_factory=list)
    """(instance, queue) of every wake that was published."""

    @property
    def now(self) -> int:
        return self.clock.now

    @property
    def us(self) -> int:
        return self.clock.us

    @property
    def quarantined(self) -> bool:
        return self.meta.quarantine_until > self.now

    def gates(self, queue: str) -> QueueGates:
        return self.queues.setdefault(queue, QueueGates())

    def slot(self, name: str) -> SlotRecord | None:
        record = self.slots.get(name)
        if record is not None and record.expires <= self.now:
            del self.slots[name]
            return None
        return record

    def slot_to_write(self, name: str) -> SlotRecord:
        record = self.slot(name)
        if record is None:
            record = self.slots[name] = SlotRecord(self.now + SLOT_MS)
        return record

    def is_alive(self, instance: str) -> bool:
        beat = self.instances.get(instance)
        return beat is not None and beat.at > self.now - INSTANCE_MS

    def wake(self, instance: str, queue: str) -> None:
        self.woken.append((instance, queue))
