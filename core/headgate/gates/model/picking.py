"""Which job a claim gets: the first of the queue or, with perKey, the next by turns whose key has room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.gates.model.checking import Refusals, refused, wait_for_place
from headgate.gates.model.lanes import KEYLESS, Refusal, key_of, lane_of
from headgate.gates.model.leases import Leases
from headgate.gates.model.limits import Limits
from headgate.gates.model.rates import EXACT_KEYED_LIMIT, Buckets, Ring
from headgate.gates.model.state import Store
from headgate.gates.verbs import Blocker, Claim, ClaimAnswer, Empty, KeysWanted

DROPS = 64
"""At most so many canceled or dataless ids are dropped in one claim."""


@dataclass(frozen=True, slots=True)
class Picked:
    """`lane` None: the queue's lanes are not in use. `more`: eligible work is left."""

    job_id: str
    lane: str | None
    more: bool


def pick(store: Store, claim: Claim, rules: Limits, refusals: Refusals) -> Picked | ClaimAnswer:
    if rules.keyed and not rules.shadow:
        return _pick_laned(store, claim, rules, refusals)
    return _pick_first(store, claim)


def _pick_first(store: Store, claim: Claim) -> Picked | ClaimAnswer:
    ids = store.rq.list_of(claim.queue)
    for _ in range(DROPS):
        if not ids:
            return Empty(0)
        job_id = ids.pop(0)
        if _is_runnable(store, job_id):
            return Picked(job_id, None, bool(ids))
    return KeysWanted(())


def _is_runnable(store: Store, job_id: str) -> bool:
    job = store.rq.jobs.get(job_id)
    return job is not None and job.runnable


def _pick_laned(store: Store, claim: Claim, rules: Limits, refusals: Refusals) -> Picked | ClaimAnswer:
    lanes, ids = store.gates(claim.queue).lanes, store.rq.list_of(claim.queue)
    if not ids:
        lanes.forget()
    unknown = lanes.look_through(ids, _lane_finder(store, claim))
    if unknown:
        return KeysWanted(tuple(unknown))
    for _ in range(DROPS):
        lanes.reopen_due(store.now)
        chosen = lanes.choose(ids, lambda lane: refusal_of_key(store, claim.queue, rules, lane))
        if chosen is None:
            return _none_may_start(store, claim, refusals)
        if _is_runnable(store, chosen[0]):
            return Picked(chosen[0], chosen[1], bool(lanes.open))
    return KeysWanted(())


def _lane_finder(store: Store, claim: Claim) -> Callable[[str], str | None]:
    """A job's lane from what the caller read, or from a plain field; None when only the caller can read its `meta`."""

    def find(job_id: str) -> str | None:
        if job_id in claim.lane_keys:
            return lane_of(claim.lane_keys[job_id])
        fields = store.rq.jobs[job_id].fields if job_id in store.rq.jobs else {}
        if "headgate_key" in fields:
            return lane_of(fields["headgate_key"].decode())
        return None if "meta" in fields else KEYLESS

    return find


def refusal_of_key(store: Store, queue: str, rules: Limits, lane: str) -> Refusal | None:
    key, gates, now = key_of(lane), store.gates(queue), store.now
    if key is None:
        return None
    held = gates.key_held.setdefault(key, Leases())
    if rules.per_key and held.live(now) >= rules.per_key:
        return ("shut", held.first_end(now))
    rate = rules.rate_per_key
    if rate is None:
        return None
    at = key_starts(store, queue, key, rate.limit).opens(store.us, store.meta.full_at, rate.limit, rate.period)
    return ("late", -(-at // 1000)) if at else None


def key_starts(store: Store, queue: str, key: str, limit: int) -> Ring | Buckets:
    gates = store.gates(queue)
    starts: Ring | Buckets
    if limit > EXACT_KEYED_LIMIT:
        starts = gates.key_buckets.setdefault(key, Buckets())
    else:
        starts = gates.key_rings.setdefault(key, Ring())
    starts.forget_if_due(store.us)
    return starts


def _none_may_start(store: Store, claim: Claim, refusals: Refusals) -> ClaimAnswer:
    gates, ids = store.gates(claim.queue), store.rq.list_of(claim.queue)
    lanes = gates.lanes
    if lanes.open:
        return KeysWanted(())
    if not ids or not (lanes.shut or lanes.late):
        return Empty(len(ids))
    line = wait_for_place(gates.wait, claim.instance, store.now) if lanes.shut else None
    blocker = Blocker.CONCURRENCY_PER_KEY if lanes.shut else Blocker.RATE_PER_KEY
    opening = min(lanes.late.values(), default=0) * 1000
    refusals.add(blocker, holders=gates.held.live(store.now), open_at=opening, line=line)
    return refused(store, claim.queue, refusals)
