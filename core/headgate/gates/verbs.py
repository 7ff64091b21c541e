"""What the gates can be asked and what they answer: the one vocabulary of `Door` (Lua in the store) and `ReferenceGates`.

All times are the store's own, in milliseconds since the epoch. No verb takes the caller's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

LEASE_MS = 20_000
"""A holder's place lapses this long after its last renewal."""
RENEW_MS = 5_000
"""How often a supervisor renews."""
SEAL_MS = 60_000
"""How long `seal` protects an execution while RQ's own code finishes it."""
WAKE_MS = 500
"""How long a freed budget place stays reserved for the pod that was woken."""


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

    `job` is the job's whole hash as stored (bytes, RQ's field names). `places` are the names of the gates' holder sets
    this execution sits in; `renew`, `seal` and `release` take them back. `more`: eligible work is left, wake another slot.
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
    """These ids have no key in a plain hash field: read `meta` safely and claim again with `lane_keys`."""

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
    """The job said `RateLimited`: front of the queue, and `scope` (`queue`, `key` or `budget/<name>`) sleeps for `ms`."""

    scope: str
    ms: int


Outcome = Done | Returned | Deferred


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
    """OK; GONE: lease lost, nothing written; SLOW: dependents appeared meanwhile, use seal + RQ's code + release."""

    OK = "ok"
    GONE = "gone"
    SLOW = "slow"


# ---- leases ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    """A running execution as its supervisor knows it: enough to put it back after data was lost."""

    queue: str
    slot: str
    job_id: str
    execution: str
    fence: int
    places: tuple[str, ...]


class Kept(StrEnum):
    KEPT = "kept"
    GONE = "gone"
    READDED = "readded"


@dataclass(frozen=True, slots=True)
class Renewal:
    """`kept` per execution id. `wake`: there is room and work for an idle slot. `quarantine_until` 0 when none."""

    kept: Mapping[str, Kept]
    revision: int
    wake: bool
    quarantine_until: int
    reaped: tuple[Reaped, ...] = ()


class Fate(StrEnum):
    REQUEUED = "requeued"
    FAILED = "failed"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Reaped:
    """An execution whose lease lapsed: its job was put back, or belongs to the dead set and RQ's failure code must run."""

    queue: str
    job_id: str
    execution: str
    fate: Fate


# ---- documents -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """Who declares a document: `name` is `<namespace>/<name>`, or `<scope>/<name>` for files; `cluster` tells clusters apart."""

    name: str
    uid: str
    generation: int
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    revision: int


@dataclass(frozen=True, slots=True)
class Same:
    revision: int


@dataclass(frozen=True, slots=True)
class Stale:
    """The store already holds a newer generation of the same object."""

    generation: int


@dataclass(frozen=True, slots=True)
class Owned:
    """Somebody else declares this queue or budget."""

    by: Owner


PublishAnswer = Published | Same | Stale | Owned

# ---- enqueue, inspect ------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate as it stands: `name` in Blocker's words, `holders` execution ids with their lease's end (ms)."""

    name: str
    limit: int
    period_ms: int
    used: int
    open_at: int | None
    holders: Sequence[tuple[str, int]] = ()
    waiting: int = 0


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


@dataclass(frozen=True, slots=True)
class StoreState:
    now: int
    epoch: str
    seq: int
    quarantine_until: int
    queues: Mapping[str, QueueState]
    budgets: Mapping[str, Sequence[GateState]]
    owners: Mapping[str, Owner]
