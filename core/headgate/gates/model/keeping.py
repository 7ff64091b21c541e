"""What a running execution may do with its lease: protect it, give it back, and come back after data was lost."""

from __future__ import annotations

from headgate.gates.model import places
from headgate.gates.model.leases import MARK
from headgate.gates.model.limits import limits
from headgate.gates.model.state import Store
from headgate.gates.verbs import LEASE_MS, SEAL_MS, Holding, Kept


def readd(store: Store, queue: str, job_id: str, execution: str, slot: str) -> bool:
    """Data was lost and this execution still runs: take it in again. False when the job runs elsewhere, or ended.

    An id that came back into the list with older data is taken out.
    """
    job = store.rq.jobs.get(job_id)
    if job is not None and job.status not in ("started", "queued"):
        return False
    member = f"{job_id}:{execution}"
    # A lapsed lease may only have been cut off too; a mark: RQ's failure code runs.
    if any(other != member and other.startswith(f"{job_id}:") for other in store.gates(queue).held.ends):
        return False
    store.gates(queue).held.take(member, store.now + LEASE_MS)
    if job is not None:
        store.rq.queues[queue] = [other for other in store.rq.list_of(queue) if other != job_id]
        store.rq.start(job_id, execution, slot)
    return True


def seal(store: Store, holding: Holding) -> bool:
    held = store.gates(holding.queue).held
    holder = f"{holding.job_id}:{holding.execution}"
    if holder not in held:
        back = store.quarantined and readd(store, holding.queue, holding.job_id, holding.execution, holding.slot)
        if not back:
            return False
    end = store.now + SEAL_MS
    held.extend(holder, end)
    places.hold(store, holding.queue, holder, holding.execution, holding.places, end)
    return True


def release(store: Store, holding: Holding) -> bool:
    """Without a slot it is the mark of a lost execution that goes."""
    gates, freed = store.gates(holding.queue), places.Freed()
    holder = f"{holding.job_id}:{holding.execution}"
    released = gates.held.drop(holder if holding.slot else holder + MARK)
    freed.give_back(store, gates, holder, holding.execution, holding.places)
    if released:
        places.pass_on(store, holding.queue, freed, limits(store, holding.queue))
    return released


def keep(store: Store, holding: Holding) -> Kept:
    """Renew one lease."""
    gates = store.gates(holding.queue)
    holder, kept = f"{holding.job_id}:{holding.execution}", Kept.KEPT
    if holder not in gates.held:
        back = store.quarantined and readd(store, holding.queue, holding.job_id, holding.execution, holding.slot)
        if not back:
            return Kept.GONE
        kept = Kept.READDED
    elif not (gates.held.is_live(holder, store.now) or store.quarantined or _has_room(store, holding)):
        return Kept.GONE
    end = store.now + LEASE_MS
    gates.held.extend(holder, end)
    places.hold(store, holding.queue, holder, holding.execution, holding.places, end)
    return kept


def _has_room(store: Store, holding: Holding) -> bool:
    return places.has_room(store, holding.queue, limits(store, holding.queue), holding.places)
