"""claim: check every gate, then take the job and every place, all or none."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.gates.model import checking
from headgate.gates.model.budgets import places_of
from headgate.gates.model.lanes import key_of
from headgate.gates.model.leases import Leases
from headgate.gates.model.limits import Limits, limits, rate_of
from headgate.gates.model.picking import Picked, key_starts, pick
from headgate.gates.model.rates import Buckets, Rate
from headgate.gates.model.state import INSTANCE_MS, SlotRecord, Store
from headgate.gates.model.waiting import wake_one
from headgate.gates.verbs import (
    LEASE_MS,
    Claim,
    ClaimAnswer,
    Finished,
    Grant,
    Held,
    NoPolicy,
    Quarantine,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fused:
    """The claim of a `finish_claim`: what the slot just ended, and whether that freed a key that was full."""

    done: tuple[str, Finished] | None
    key_freed: bool


def claim(store: Store, claim: Claim) -> ClaimAnswer:
    return answered(store, claim) or ask(store, claim, None)


def answered(store: Store, claim: Claim) -> Grant | None:
    """The same claim again, its reply was lost: the same grant, as long as it is held."""
    record = store.slot(claim.slot)
    if record is None or record.nonce != claim.nonce or record.grant is None:
        return None
    grant = record.grant
    if f"{grant.job_id}:{grant.execution}" not in store.gates(claim.queue).held:
        return None
    fields = store.rq.jobs[grant.job_id].fields if grant.job_id in store.rq.jobs else {}
    return Grant(grant.job_id, grant.execution, grant.fence, encoded(fields), grant.places, True, grant.revision)


def encoded(fields: dict[str, bytes]) -> dict[bytes, bytes]:
    return {name.encode(): value for name, value in fields.items()}


def ask(store: Store, claim: Claim, fused: Fused | None) -> ClaimAnswer:
    rules = limits(store, claim.queue)
    if store.rq.suspended:
        return Held(suspended=True)
    if rules is not None and rules.held:
        return Held()
    if store.quarantined:
        return Quarantine(store.meta.quarantine_until)
    if rules is None:
        return NoPolicy()
    check = checking.check(store, claim, rules)
    if check.refusals.blocker:
        return checking.refused(store, claim.queue, check.refusals)
    picked = pick(store, claim, rules, check.refusals)
    if not isinstance(picked, Picked):
        return picked
    return _take(store, claim, rules, check, picked, fused)


def _take(
    store: Store, claim: Claim, rules: Limits, check: checking.Check, picked: Picked, fused: Fused | None
) -> Grant:
    gates, job = store.gates(claim.queue), store.rq.jobs[picked.job_id]
    holder, before = f"{picked.job_id}:{claim.execution}", gates.held.live(store.now)
    store.meta.seq += 1
    gates.held.take(holder, store.now + LEASE_MS)
    if rules.rate_total:
        gates.starts.record(store.us)
    if rules.rate_per_worker:
        _record_worker_start(store, claim.instance, rules.rate_per_worker)
    places = [*_take_budgets(store, claim, check), *_take_key(store, claim, rules, picked, holder)]
    fields = encoded(job.fields)
    store.rq.start(picked.job_id, claim.execution, claim.slot)
    if fused is None:
        gates.wait.pop(claim.instance, None)
        gates.rate_wait.pop(claim.instance, None)
    elif picked.lane is not None and picked.more and fused.key_freed and (not rules.total or before + 1 < rules.total):
        wake_one(store, claim.queue)
    more = picked.more and (fused is None or picked.lane is not None)
    revision = store.policies[claim.queue].revision
    grant = Grant(picked.job_id, claim.execution, store.meta.seq, fields, tuple(places), more, revision)
    record: SlotRecord = store.slot_to_write(claim.slot)
    record.nonce, record.grant, record.done = claim.nonce, grant, fused.done if fused else None
    return grant


def _record_worker_start(store: Store, instance: str, rate: Rate) -> None:
    ring = checking.worker_ring(store, instance)
    if not ring.starts:
        ring.forgotten_at = store.now * 1000 + max(rate.period, INSTANCE_MS * 1000)
    ring.record(store.us)


def _take_budgets(store: Store, claim: Claim, check: checking.Check) -> list[str]:
    places = []
    for share in check.shares:
        budget = share.budget
        for place in places_of(claim.execution, share.weight):
            budget.held.take(place, store.now + LEASE_MS)
        places.append(f"b{share.weight}:{budget.document.name}")
        if rate_of(budget.document.rate):
            budget.starts.record(store.us, share.weight)
        if share.queued:
            budget.leave(share.waiter, carried=share.carried)
            budget.hand_over(store.now, store.is_alive, store.wake)
    return places


def _take_key(store: Store, claim: Claim, rules: Limits, picked: Picked, holder: str) -> list[str]:
    if not rules.keyed:
        return []
    gates, fields = store.gates(claim.queue), store.rq.jobs[picked.job_id].fields
    plain = fields.get("headgate_key")
    key = key_of(picked.lane) if picked.lane else plain.decode() if plain is not None else None
    if key is None:
        gates.keyless += 1
        return []
    gates.keys[holder] = key
    gates.key_held.setdefault(key, Leases()).take(holder, store.now + LEASE_MS)
    rate = rules.rate_per_key
    if rate is not None:
        starts = key_starts(store, claim.queue, key, rate.limit)
        if isinstance(starts, Buckets):
            starts.record(store.us, rate.period)
        else:
            starts.record(store.us)
            starts.forgotten_at = store.now * 1000 + -(-rate.period // 1000) * 1000
    return [f"k{key}"]
