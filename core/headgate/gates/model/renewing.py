"""renew: a supervisor's beat. Renews its leases, says what the instance has in use, puts back what lapsed."""

from __future__ import annotations

from headgate.gates.model.keeping import keep
from headgate.gates.model.limits import Limits, limits
from headgate.gates.model.losing import reap_queue
from headgate.gates.model.places import forget_if_drained
from headgate.gates.model.state import INSTANCE_MS, SLOT_MS, InstanceBeat, Store
from headgate.gates.verbs import Beat, Reaped, Renewal, SlotBeat

REAPS = 20
WORKER_MS = 90_000
"""RQ's worker hash lives so long after a heartbeat."""


def renew(store: Store, beat: Beat) -> Renewal:
    store.meta.clock = store.now
    unregistered = tuple(slot.slot for slot in beat.slots if not _beat_worker(store, slot))
    kept = {holding.execution: keep(store, holding) for holding in beat.holdings}
    _beat_instance(store, beat)
    reaped: list[Reaped] = []
    if not store.quarantined:
        reaped = [one for one in reap_queue(store, beat.queue, REAPS, dead=True) if one is not None]
    rules = limits(store, beat.queue)
    if rules is None:
        forget_if_drained(store, beat.queue)
    policy = store.policies.get(beat.queue)
    return Renewal(
        kept=kept,
        revision=policy.revision if policy else 0,
        wake=len(beat.holdings) < len(beat.slots) and _has_work(store, beat.queue, rules),
        quarantine_until=store.meta.quarantine_until if store.quarantined else 0,
        reaped=tuple(reaped),
        unregistered=unregistered,
        now=store.now,
    )


def _beat_worker(store: Store, slot: SlotBeat) -> bool:
    """RQ's heartbeat of one slot; False when its worker hash is gone."""
    record, worker = store.slot(slot.slot), store.rq.workers.get(slot.slot)
    if record is not None:
        record.expires = store.now + SLOT_MS
    if worker is None or worker.expires <= store.now:
        return False
    worker.expires = store.now + WORKER_MS
    worker.successes = slot.successes
    return True


def _beat_instance(store: Store, beat: Beat) -> None:
    """The acknowledgement. Without slots the instance says goodbye."""
    if not beat.slots:
        gates = store.gates(beat.queue)
        store.instances.pop(beat.instance, None)
        store.worker_starts.pop(beat.instance, None)
        gates.wait.pop(beat.instance, None)
        gates.rate_wait.pop(beat.instance, None)
        return
    store.instances[beat.instance] = InstanceBeat(
        beat.pod, beat.queue, beat.revision, len(beat.slots), len(beat.holdings), store.now, beat.short_of_memory
    )
    ring, policy = store.worker_starts.get(beat.instance), store.policies.get(beat.queue)
    if ring is not None:
        ring.forget_if_due(store.us)
        rate = policy.document.rate_per_worker if policy else None
        ring.forgotten_at = (store.now + max(rate.period_ms if rate else 0, INSTANCE_MS)) * 1000
    for share in policy.document.budgets if policy else ():
        if share.name in store.budgets:
            store.budgets[share.name].drop_lapsed(store.now)


def _has_work(store: Store, queue: str, rules: Limits | None) -> bool:
    """There is room and work for an idle slot, as far as is told without taking it."""
    if rules is None or rules.held or store.rq.suspended or store.quarantined:
        return False
    if store.policies[queue].sleep > store.us or not store.rq.list_of(queue):
        return False
    return not rules.total or store.gates(queue).held.live(store.now) < rules.total
