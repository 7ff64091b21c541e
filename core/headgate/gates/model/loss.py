"""Did the store lose data, or was everybody cut off? Then nothing starts for a lease and rate windows count as full."""

from __future__ import annotations

from headgate.gates.model import tasks
from headgate.gates.model.budgets import Budget
from headgate.gates.model.state import Policy, Store
from headgate.gates.verbs import LEASE_MS, RENEW_MS, SEAL_MS, Seen

SEQ_JUMP = 1_000_000
"""Keeps fences growing past grants that the store no longer knows of."""


def notice(store: Store, seen: Seen) -> None:
    """Opens every verb that may write: compares what the caller has seen with what the store knows."""
    meta, now = store.meta, store.now
    clock = now if meta.clock is None else meta.clock
    calm = clock - LEASE_MS <= now <= clock + 2 * RENEW_MS
    if meta.epoch == seen.epoch != "" and meta.seq >= seen.seq and calm:
        return
    lost = _is_lost(store, seen, clock)
    if now < clock - LEASE_MS:
        _accept_clock(store, clock - now)
        lost = True
    if not meta.epoch:
        meta.epoch, meta.clock = str(store.us), now
    if lost:
        meta.seq = max(meta.seq, seen.seq) + SEQ_JUMP
        meta.clock, meta.quarantine_until, meta.full_at = now, now + LEASE_MS, store.us
        if seen.epoch and seen.epoch != meta.epoch:
            meta.lost = seen.epoch


def _is_lost(store: Store, seen: Seen, clock: int) -> bool:
    meta, now = store.meta, store.now
    if not meta.epoch:
        return seen.epoch != ""
    if seen.epoch and seen.epoch != meta.epoch:
        return meta.lost != seen.epoch
    if seen.epoch == meta.epoch and meta.seq < seen.seq:
        return True
    return now > clock + 2 * RENEW_MS and _was_cut_off(store)


def _was_cut_off(store: Store) -> bool:
    """Nobody renewed for two beats: only leases that lapsed meanwhile can be counted wrongly."""
    held = [store.gates(queue).held for queue in known_queues(store)]
    clock = store.now if store.meta.clock is None else store.meta.clock
    # A run that had lapsed before the last beat was lost by itself, and is taken for that by the next one.
    runs = [task.current.lease_end for task in store.tasks.values() if task.document and task.current]
    runs = [end for end in runs if end > clock]
    if not runs and not any(leases.ends for leases in held):
        store.meta.clock = store.now
    return any(leases.lapsed(store.now) for leases in held) or any(end <= store.now for end in runs)


def _accept_clock(store: Store, step: int) -> None:
    """The clock was set back by `step` ms: what ends by the old clock must not last as long as that.

    Leases end within 60 s (who lives renews before that), keys look again, sleeps move along.
    """
    for name in known_queues(store):
        gates = store.gates(name)
        for leases in (gates.held, *gates.key_held.values()):
            leases.end_by(store.now + SEAL_MS)
        gates.lanes.look_again()
    for budget in store.budgets.values():
        budget.held.end_by(store.now + SEAL_MS)
        budget.http.end_by(store.now + SEAL_MS)
    tasks.set_back(store.tasks, store.now, SEAL_MS)
    sleepers: list[Policy | Budget] = [*store.policies.values(), *store.budgets.values()]
    for sleeper in sleepers:
        if sleeper.sleep > store.us:
            sleeper.sleep -= step * 1000


def known_queues(store: Store) -> list[str]:
    """Those with a policy and those where something still runs."""
    declared = {name.removeprefix("queue/") for name in store.owners if name.startswith("queue/")}
    return sorted(declared | store.draining)
