"""What the gates can be asked and what they answer: the one vocabulary of `Door` (scripts) and `ReferenceGates`.

All times are the store's own, in milliseconds since the epoch. No verb takes the caller's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from headgate.gates.leases import (
    LEASE_MS,
    RENEW_MS,
    SEAL_MS,
    WAKE_MS,
    Beat,
    Fate,
    Holding,
    Kept,
    Reaped,
    Renewal,
    SlotBeat,
)
from headgate.gates.overrides import Override
from headgate.gates.owners import (
    Declarations,
    Declared,
    Owned,
    Owner,
    PublishAnswer,
    Published,
    Same,
    Stale,
)
from headgate.gates.states import (
    GateState,
    Instance,
    QueueState,
    StoreState,
)
from headgate.model.documents import Document, DocumentKind, QueueDocument

# fmt: off
__all__ = [
    "LEASE_MS",
    "RENEW_MS",
    "SEAL_MS",
    "WAKE_MS",
    "Beat",
    "Blocker",
    "Claim",
    "ClaimAnswer",
    "Declarations",
    "Declared",
    "Deferred",
    "Done",
    "Empty",
    "Enqueue",
    "EnqueueAnswer",
    "Exists",
    "Fate",
    "Finish",
    "Finished",
    "Full",
    "GateState",
    "Gates",
    "Grant",
    "Held",
    "Holding",
    "Instance",
    "Kept",
    "KeysWanted",
    "Lost",
    "NoPolicy",
    "Outcome",
    "Owned",
    "Owner",
    "PublishAnswer",
    "Published",
    "Quarantine",
    "QueueState",
    "Queued",
    "Reaped",
    "Renewal",
    "Returned",
    "Same",
    "Seen",
    "SlotBeat",
    "Stale",
    "StoreState",
    "Wait",
]
# fmt: on


class Blocker(StrEnum):
    """The gate that refused, in the order in which they are checked; budgets append `/<namespace>/<name>`."""

    STOP = "stop"
    QUARANTINE = "quarantine"
    CONCURRENCY_TOTAL = "concurrency.total"
    RATE_TOTAL = "rate.total"
    BUDGET = "budget"
    CONCURRENCY_PER_KEY = "concurrency.perKey"
    RATE_PER_KEY = "rate.perKey"
    RATE_PER_WORKER = "rate.perWorker"
    DEFERRED = "deferred"
    MEMORY = "memory"
    """No gate either: each worker of the queue is above `workers.memory.holdAbovePercent` and does not ask."""
    STORE_FULL = "store.full"
    """No gate: the store is above `maxmemory`, so `finish_claim` finished and started nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest (epoch, seq) a caller has seen; a store that knows less has lost data."""

    epoch: str = ""
    seq: int = 0


# ---- claim -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """Ask for one job. The same nonce from the same slot always gets the same answer back when it was a grant.

    `slot` is also RQ's worker name. `lane_keys` answers a `KeysWanted`: job id -> key, None for a job without one.
    """

    queue: str
    slot: str
    instance: str
    nonce: str
    execution: str
    lane_keys: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """One job, started: its leases are held and RQ's started state is written.

    `job` is the job's whole hash as it was queued (bytes, RQ's field names). `places` name what it holds beside its
    queue's place; `finish`, `renew`, `seal` and `release` take them back. `more`: work is left, wake another slot
    (`finish_claim` says so only of keyed queues: a slot that goes on leaves the waking to the ear).
    """

    job_id: str
    execution: str
    fence: int
    job: Mapping[bytes, bytes]
    places: tuple[str, ...]
    more: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Empty:
    """No job. `length` is what the queue's list held (canceled or dataless ids that were dropped are not counted)."""

    length: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A gate refused. `open_at` (ms) when time will open it, None when a holder or a person must."""

    blocker: str
    open_at: int | None
    holders: int


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """These ids have no key in a plain hash field: read `meta` safely and claim again with `lane_keys`.

    No ids: part of a long queue is not looked through yet and nothing in the rest may start, so claim again at once.
    """

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The policy's stopPolicy is in force (or RQ's own suspend: `suspended`): nothing starts."""

    suspended: bool = False


@dataclass(frozen=True, slots=True)
class NoPolicy:
    """No document for this queue: nothing starts anywhere."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The store lost data or its clock: nothing starts until `until` (ms); renew first, then ask again."""

    until: int


ClaimAnswer = Grant | Empty | Wait | KeysWanted | Held | NoPolicy | Quarantine

# ---- finish ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """The job returned. `result` is RQ's stored form (base64 of the pickle); `result_ttl` seconds, -1 keeps for ever.

    `changes` are job hash fields that user code changed (usually none). Times are RQ's ISO form.
    Only plain successes: result_ttl 0, dependents, callbacks, repeat, RateLimit take `seal`, RQ's own code, `release`.
    """

    result: bytes
    result_ttl: int
    started_at: str
    ended_at: str
    changes: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Returned:
    """Hand back unfinished (drain, crash of a slot): front of the queue, no attempt burnt."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The job said `RateLimited`: front of the queue; `scope` (`queue`, `key` or `budget/<name>`) sleeps for `ms`."""

    scope: str
    ms: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The slot's process died: as `Returned`, but one loss is counted against the job, as `reap` would."""


Outcome = Done | Returned | Deferred | Lost


@dataclass(frozen=True, slots=True)
class Finish:
    """End an execution. Refused (`gone`) when its lease was lost and the job granted or reaped meanwhile."""

    queue: str
    slot: str
    job_id: str
    execution: str
    fence: int
    outcome: Outcome
    places: tuple[str, ...] = ()


class Finished(StrEnum):
    """What became of it.

    GONE: the lease was lost, nothing was written. SLOW: dependents appeared meanwhile, use seal + RQ's code + release.
    FAILED, POISON: only after `Lost`: the job is not put back; run RQ's failure code, then `release` as for `Reaped`.
    """

    OK = "ok"
    GONE = "gone"
    SLOW = "slow"
    FAILED = "failed"
    POISON = "poison"


# ---- enqueue ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A new job. `fields` are RQ's job hash (`Job.to_dict()`), `ttl` RQ's queue ttl in seconds.

    `idempotency_key`: the same key on the same queue answers `Exists` for 24 hours. The policy's backlog applies.
    """

    queue: str
    job_id: str
    fields: Mapping[str, bytes]
    idempotency_key: str = ""
    at_front: bool = False
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    job_id: str
    length: int


@dataclass(frozen=True, slots=True)
class Exists:
    job_id: str


@dataclass(frozen=True, slots=True)
class Full:
    length: int
    limit: int


EnqueueAnswer = Queued | Exists | Full


class Gates(Protocol):
    """The verbs. `Door` runs them as scripts in the store, `ReferenceGates` in memory; both pass one conformance suite.

    Raises `StoreFull` (above maxmemory; only claim, enqueue, publish), `StoreUnavailable`, `StoreUnsuitable` (check).
    """

    def claim(self, claim: Claim) -> ClaimAnswer: ...

    def finish(self, finish: Finish) -> Finished: ...

    def finish_claim(self, finish: Finish, claim: Claim) -> tuple[Finished, ClaimAnswer]:
        """Both in one round trip. SLOW finishes nothing, keeps the place and claims nothing (`Empty(0)`)."""

    def seal(self, holding: Holding) -> bool:
        """Protect the execution for `SEAL_MS` while RQ's own code ends it; False: the lease was lost, write nothing."""

    def release(self, holding: Holding) -> bool:
        """Give the places back after RQ's own code ran. False when they were gone already."""

    def renew(self, beat: Beat) -> Renewal: ...

    def reap(self, limit: int = 100, *, dead: bool = False) -> Sequence[Reaped]:
        """Put back what lapsed, on every queue. `dead`: the caller can run RQ's failure code: Failed and Poison too."""

    def enqueue(self, enqueue: Enqueue) -> EnqueueAnswer: ...

    def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer: ...

    def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool: ...

    def override(self, override: Override) -> int | None:
        """In force until the answer (ms); None when no policy is published for the queue."""

    def clear_override(self, queue: str) -> bool: ...

    def inspect(self) -> StoreState: ...

    def read_document(self, queue: str) -> tuple[int, QueueDocument] | None: ...

    def read_declared(self, queue: str) -> Declarations: ...

    def restore(self, copy: Declared[Document]) -> PublishAnswer:
        """Publish what the store lost again, with a revision above the copy's.

        Refused when it was declared meanwhile (other than by an older copy) or unpublished (remembered for a day).
        """

    def check(self) -> None: ...
