"""The reply of `inspect` as a `StoreState`, and which gate holds a queue now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.gates import overrides
from headgate.gates.replies import owner
from headgate.gates.verbs import Blocker, GateState, Instance, QueueState, StoreState

REFUSAL_FRESH_MS = 10_000
"""For this long a recorded refusal says what holds a queue where the gates alone do not: a worker's rate, keys."""
_KEYED = (Blocker.CONCURRENCY_PER_KEY, Blocker.RATE_PER_KEY)


def store_state(reply: Sequence[Any]) -> StoreState:
    now = int(reply[2])
    raw = json.loads(reply[3])
    budgets = {name: _budget_gates(name, look) for name, look in _map(raw["budgets"]).items()}
    instances = [_instance(name, read) for name, read in _map(raw["instances"]).items()]
    owners = {field: owner(text) for field, text in _map(raw["owners"]).items()}
    return StoreState(
        now=now,
        epoch=reply[0].decode(),
        seq=int(reply[1]),
        quarantine_until=int(raw["quarantine"]),
        queues={
            name: _queue(name, look, owners.get(f"queue/{name}"), budgets, instances, now, int(raw["quarantine"]))
            for name, look in _map(raw["queues"]).items()
        },
        budgets=budgets,
        owners=owners,
    )


def _map(value: Any) -> Mapping[str, Any]:
    """An empty Lua table is a list in JSON."""
    return value if isinstance(value, dict) else {}


def _pairs(flat: Any) -> list[tuple[str, str]]:
    return list(zip(flat[::2], flat[1::2], strict=True)) if flat else []


def _holders(flat: Any) -> tuple[tuple[str, int], ...]:
    """Members by lease end; execution ids without the decoration of the set they stand in."""
    return tuple((member.rpartition(":")[2], int(float(end))) for member, end in _pairs(flat))


def _budget_holders(flat: Any) -> tuple[tuple[str, int], ...]:
    """Execution ids, and requests as `h:<request>`."""
    named = zip(_pairs(flat), _holders(flat), strict=True)
    return tuple((member if member.startswith("h:") else name, end) for (member, _), (name, end) in named)


def _ring(name: str, ring: Sequence[Any]) -> GateState:
    limit, period, used, open_at, waiting = (int(value) for value in ring)
    return GateState(name, limit, period, used, open_at or None, (), waiting)


def _budget_gates(name: str, look: Mapping[str, Any]) -> list[GateState]:
    gates, label = [], f"{Blocker.BUDGET}/{name}"
    if look["total"] > 0:
        gates.append(
            GateState(
                label,
                int(look["total"]),
                0,
                int(look["used"]),
                int(look["sleep"]) or None,
                _budget_holders(look["holders"]),
                int(look["waiting"]),
                int(look.get("reserved", 0)),
            )
        )
    if "rate" in look:
        gates.append(_ring(label, look["rate"]))
    return gates


def _instance(name: str, read: Sequence[Any]) -> Instance:
    pod, queue, revision, slots, busy, at, memory = read
    return Instance(name, pod, queue, int(revision), int(slots), int(busy), int(at), memory == "1")


def _queue_gates(look: Mapping[str, Any]) -> list[GateState]:
    gates = []
    if look["total"] > 0:
        gates.append(
            GateState(
                Blocker.CONCURRENCY_TOTAL,
                int(look["total"]),
                0,
                int(look["used"]),
                None,
                _holders(look["holders"]),
                int(look["waiting"]),
            )
        )
    if "rate" in look:
        gates.append(_ring(Blocker.RATE_TOTAL, look["rate"]))
    if "per_key" in look and look["per_key"][0] > 0:
        limit, full, running = (int(value) for value in look["per_key"])
        gates.append(GateState(Blocker.CONCURRENCY_PER_KEY, limit, 0, running, None, (), full))
    if "rate_per_key" in look and look["rate_per_key"][0] > 0:
        limit, period, full, open_at = (int(value) for value in look["rate_per_key"])
        gates.append(GateState(Blocker.RATE_PER_KEY, limit, period, 0, open_at or None, (), full))
    if "rate_per_worker" in look:
        gates.append(_ring(Blocker.RATE_PER_WORKER, look["rate_per_worker"]))
    return gates


def _queue(
    name: str,
    look: Mapping[str, Any],
    owned: Any,
    budgets: Mapping[str, Sequence[GateState]],
    instances: Sequence[Instance],
    now: int,
    quarantine: int,
) -> QueueState:
    stats = dict(_pairs(look["stats"]))
    gates = _queue_gates(look)
    live = [instance for instance in instances if instance.queue == name]
    blocked_by, blocked_until = _blocker(look, stats, gates, budgets, live, now, quarantine)
    return QueueState(
        queue=name,
        revision=int(look["revision"]),
        owner=owned,
        queued=int(look["queued"]),
        running=int(look["used"]),
        due=int(look["due"]),
        gates=gates,
        instances=live,
        foreign_workers=sorted(look["foreign"] or []),
        blocked_by=blocked_by,
        blocked_until=blocked_until,
        keyless=int(stats.get("keyless", 0)),
        shadowed={field[7:]: int(count) for field, count in stats.items() if field.startswith("shadow:")},
        poison=int(look["poison"]),
        poisoned=int(stats.get("poison", 0)),
        override=overrides.state(look["override"]) if "override" in look else None,
    )


def _blocker(
    look: Mapping[str, Any],
    stats: Mapping[str, str],
    gates: Sequence[GateState],
    budgets: Mapping[str, Sequence[GateState]],
    live: Sequence[Instance],
    now: int,
    quarantine: int,
) -> tuple[str, int | None]:
    """The first gate that would refuse a start now, in the order of `Blocker`; "" when none, or nothing is queued."""
    if look["suspended"] or look["hold"] > 0:
        return Blocker.STOP, None
    if quarantine > now:
        return Blocker.QUARANTINE, quarantine
    if not look["queued"]:
        return "", None
    shares = look.get("shares", "").split()
    shared = [gate for share in shares for gate in budgets.get(share.partition(":")[2], ())]
    for gate in (*gates[:2], *shared):
        if gate.name in (*_KEYED, Blocker.RATE_PER_WORKER):
            continue
        if (gate.open_at or 0) > now:
            return gate.name, gate.open_at
        if gate.period_ms == 0 and gate.used >= gate.limit - gate.reserved:
            return gate.name, None
    if live and all(instance.short_of_memory for instance in live):
        return Blocker.MEMORY, None
    return _told_by_workers(look, stats, gates, now)


def _told_by_workers(
    look: Mapping[str, Any], stats: Mapping[str, str], gates: Sequence[GateState], now: int
) -> tuple[str, int | None]:
    """What the gates of the whole queue do not show: keys, a worker's own rate, a job that said RateLimited."""
    for gate in gates:
        if gate.name in _KEYED and gate.waiting and not look["open"]:
            return gate.name, gate.open_at
    refused, at = stats.get("refused_by", ""), int(stats.get("refused_at", 0))
    if refused in (*_KEYED, Blocker.RATE_PER_WORKER) and now - at < REFUSAL_FRESH_MS:
        return refused, int(stats["refused_until"]) or None
    if look["sleep"] > now:
        return Blocker.DEFERRED, int(look["sleep"])
    return "", None
