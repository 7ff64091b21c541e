"""inspect: every gate of every declared queue and budget as it stands, and which one holds a queue now."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.gates.model.leases import Leases
from headgate.gates.model.limits import Limits, limits_of, rate_of
from headgate.gates.model.rates import Rate, Ring
from headgate.gates.model.state import InstanceBeat, Policy, QueueGates, Store
from headgate.gates.verbs import Blocker, GateState, Instance, QueueState, StoreState

REFUSAL_FRESH_MS = 10_000


def inspect(store: Store) -> StoreState:
    budgets = {name: _budget(store, name) for name in store.budgets}
    return StoreState(
        now=store.now,
        epoch=store.meta.epoch,
        seq=store.meta.seq,
        quarantine_until=store.meta.quarantine_until,
        queues={
            queue: _queue(store, queue, policy, limits_of(policy.document, store.now, policy.override), budgets)
            for queue, policy in store.policies.items()
        },
        budgets=budgets,
        owners={field: declared.owner for field, declared in store.owners.items()},
    )


def _queue(store: Store, queue: str, policy: Policy, rules: Limits, budgets: dict[str, list[GateState]]) -> QueueState:
    gates = store.gates(queue)
    states = _gates(store, queue, rules)
    shared = [gate for share in rules.budgets for gate in budgets.get(share.name, ())]
    blocked_by, blocked_until = _blocker(store, queue, rules, states, shared)
    declared = store.owners.get(f"queue/{queue}")
    return QueueState(
        queue=queue,
        revision=policy.revision,
        owner=declared.owner if declared else None,
        queued=len(store.rq.list_of(queue)),
        running=gates.held.live(store.now),
        due=0,
        gates=states,
        instances=[
            Instance(name, beat.pod, beat.queue, beat.revision, beat.slots, beat.busy, beat.at, beat.short_of_memory)
            for name, beat in _live(store, queue)
        ],
        foreign_workers=[],
        blocked_by=blocked_by,
        blocked_until=blocked_until,
        keyless=gates.keyless,
        shadowed=dict(gates.shadowed),
        poison=len(gates.poison & store.rq.failed.get(queue, set())),
        poisoned=gates.poisoned,
        override=policy.override if policy.override and policy.override.document.expire_ms > store.now else None,
    )


def _live(store: Store, queue: str) -> list[tuple[str, InstanceBeat]]:
    return [(name, beat) for name, beat in store.instances.items() if beat.queue == queue and store.is_alive(name)]


def _ring(store: Store, name: str, ring: Ring, rate: Rate, waiting: int) -> GateState:
    ring.forget_if_due(store.us)
    opens = ring.opens(store.us, store.meta.full_at, rate.limit, rate.period)
    used = ring.within(store.us, rate.period, rate.limit)
    return GateState(name, rate.limit, rate.period // 1000, used, -(-opens // 1000) or None, (), waiting)


def _holders(leases: Leases) -> tuple[tuple[str, int], ...]:
    """Execution ids by lease end; the lapsed ones too: they wait for reap."""
    ordered = sorted(leases.ends.items(), key=lambda item: (item[1], item[0]))
    return tuple((holder.rpartition(":")[2], end) for holder, end in ordered)


def _budget_holders(leases: Leases) -> tuple[tuple[str, int], ...]:
    """Execution ids, and requests as `h:<request>`."""
    members = [member for _, member in sorted((end, member) for member, end in leases.ends.items())]
    named = zip(members, _holders(leases), strict=True)
    return tuple((member if member.startswith("h:") else name, end) for member, (name, end) in named)


def _budget(store: Store, name: str) -> list[GateState]:
    budget, label, states = store.budgets[name], f"{Blocker.BUDGET}/{name}", []
    if budget.document.total:
        sleep = -(-budget.sleep // 1000) or None
        used, waiting = budget.used(store.now), len(budget.wait)
        reserved, holders = (
            max(0, budget.document.http_reserved - budget.http.live(store.now)),
            _budget_holders(budget.held),
        )
        states.append(GateState(label, budget.document.total, 0, used, sleep, holders, waiting, reserved))
    rate = rate_of(budget.document.rate)
    if rate:
        states.append(_ring(store, label, budget.starts, rate, len(budget.rate_wait)))
    return states


def _gates(store: Store, queue: str, rules: Limits) -> list[GateState]:
    gates, states = store.gates(queue), []
    if rules.total:
        used = gates.held.live(store.now)
        holders = _holders(gates.held)
        states.append(GateState(Blocker.CONCURRENCY_TOTAL, rules.total, 0, used, None, holders, len(gates.wait)))
    if rules.rate_total:
        states.append(_ring(store, Blocker.RATE_TOTAL, gates.starts, rules.rate_total, len(gates.rate_wait)))
    if rules.per_key:
        full = len(gates.lanes.shut)
        states.append(GateState(Blocker.CONCURRENCY_PER_KEY, rules.per_key, 0, len(gates.keys), None, (), full))
    if rules.rate_per_key:
        rate, late = rules.rate_per_key, gates.lanes.late
        opening = min(late.values(), default=0) or None
        states.append(GateState(Blocker.RATE_PER_KEY, rate.limit, rate.period // 1000, 0, opening, (), len(late)))
    if rules.rate_per_worker:
        rings = [
            _ring(store, Blocker.RATE_PER_WORKER, store.worker_starts.get(name, Ring()), rules.rate_per_worker, 0)
            for name, _beat in _live(store, queue)
        ]
        states += sorted(rings, key=lambda state: state.used)[-1:]
    return states


def _blocker(
    store: Store, queue: str, rules: Limits, states: Sequence[GateState], shared: Sequence[GateState]
) -> tuple[str, int | None]:
    """The first gate that would refuse a start now; "" when none, or nothing is queued."""
    now, gates = store.now, store.gates(queue)
    if store.rq.suspended or rules.held:
        return Blocker.STOP, None
    if store.quarantined:
        return Blocker.QUARANTINE, store.meta.quarantine_until
    if not store.rq.list_of(queue):
        return "", None
    own = [gate for gate in states if gate.name in (Blocker.CONCURRENCY_TOTAL, Blocker.RATE_TOTAL)]
    for gate in (*own, *shared):
        if (gate.open_at or 0) > now:
            return gate.name, gate.open_at
        if gate.period_ms == 0 and gate.used >= gate.limit - gate.reserved:
            return gate.name, None
    live = _live(store, queue)
    if live and all(beat.short_of_memory for _name, beat in live):
        return Blocker.MEMORY, None
    return _blocked_key(states, gates) or _recent_refusal(store, queue, gates)


def _blocked_key(states: Sequence[GateState], gates: QueueGates) -> tuple[str, int | None] | None:
    keyed = [gate for gate in states if gate.name in (Blocker.CONCURRENCY_PER_KEY, Blocker.RATE_PER_KEY)]
    if gates.lanes.open:
        return None
    return next(((gate.name, gate.open_at) for gate in keyed if gate.waiting), None)


def _recent_refusal(store: Store, queue: str, gates: QueueGates) -> tuple[str, int | None]:
    blocker, at, until = gates.refused
    if blocker == Blocker.RATE_PER_WORKER and store.now - at < REFUSAL_FRESH_MS:
        return blocker, until or None
    sleep = store.policies[queue].sleep
    return (Blocker.DEFERRED, -(-sleep // 1000)) if sleep > store.us else ("", None)
