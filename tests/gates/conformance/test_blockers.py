"""A refusal names the first gate that refuses; `open_at` is the latest of those that time can open."""

from typing import Any

import pytest

from headgate.gates.verbs import Blocker, Quarantine, Wait
from tests.gates.conformance.fleet import Fleet

LONG, SHORT = 50_000, 10_000
RATE_TOTAL: dict[str, Any] = {"rate_total": {"limit": 1, "period_ms": LONG}}
BUDGETS: dict[str, Any] = {"budgets": [{"name": "ns/b"}, {"name": "ns/a"}]}
WORKER: dict[str, Any] = {"rate_per_worker": {"limit": 1, "period_ms": SHORT}}

ORDER: list[tuple[dict[str, Any], str]] = [
    ({"total": 1}, Blocker.CONCURRENCY_TOTAL),
    (RATE_TOTAL, Blocker.RATE_TOTAL),
    (BUDGETS, "budget/ns/a"),
    (WORKER, Blocker.RATE_PER_WORKER),
    ({"per_key": 1}, Blocker.CONCURRENCY_PER_KEY),
    ({"rate_per_key": {"limit": 1, "period_ms": SHORT}}, Blocker.RATE_PER_KEY),
]
"""A key's gates come last: which key is asked is decided only when some job of the queue may start."""


@pytest.mark.parametrize("first", range(len(ORDER)), ids=[blocker for _, blocker in ORDER])
def test_the_first_in_the_order_is_named(fleet: Fleet, first: int) -> None:
    limits: dict[str, Any] = {}
    for gate, _ in ORDER[first:]:
        limits |= gate
    for name in ("ns/a", "ns/b"):
        fleet.budget(name, total=1)
    fleet.policy(**limits)
    fleet.jobs("j1", "j2", key="acme")
    fleet.start("a.0")
    assert fleet.refused("a.1").blocker == ORDER[first][1]


def test_open_at_is_the_latest_of_those_that_time_opens(fleet: Fleet) -> None:
    fleet.policy(total=1, **RATE_TOTAL, **WORKER)
    fleet.jobs("j1", "j2")
    began = fleet.bench.now
    fleet.start("a.0")
    refusal = fleet.refused("a.1")
    assert (refusal.blocker, refusal.open_at) == (Blocker.CONCURRENCY_TOTAL, began + LONG)


def test_without_a_rate_only_a_holder_opens_it(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    assert fleet.refused("a.1") == Wait(Blocker.CONCURRENCY_TOTAL, None, 1)


def test_stop_comes_before_quarantine_and_quarantine_before_every_gate(fleet: Fleet) -> None:
    fleet.policy(total=1, stop_policy="Hold")
    fleet.jobs("j1", "j2")
    fleet.beat("a")
    fleet.bench.advance(-60_000)
    fleet.beat("a")
    assert fleet.operator.inspect().quarantine_until > fleet.bench.now
    assert fleet.operator.inspect().queues["mail"].blocked_by == Blocker.STOP
    fleet.policy(total=1)
    assert isinstance(fleet.claim("a.0"), Quarantine)
    assert fleet.operator.inspect().queues["mail"].blocked_by == Blocker.QUARANTINE


def test_all_gates_or_none(fleet: Fleet) -> None:
    """A refusal by the last gate leaves nothing taken in those before it."""
    fleet.budget("ns/a", total=5)
    fleet.budget("ns/b", total=5)
    fleet.policy(total=5, per_key=5, **BUDGETS, **WORKER)
    fleet.jobs("j1", "j2", key="acme")
    fleet.start("a.0")
    fleet.refused("a.1")
    assert fleet.live() == len(fleet.bench.key_holders("mail", "acme")) == 1
    assert len(fleet.bench.budget_holders("ns/a")) == len(fleet.bench.budget_holders("ns/b")) == 1
    assert fleet.bench.queue("mail") == ["j2"]


def test_memory_holds_a_queue_when_each_of_its_workers_says_so(fleet: Fleet) -> None:
    """One with room is enough; a gate that is shut is named first, for it holds whatever memory there is."""

    def blocked_by() -> str:
        return fleet.operator.inspect().queues["mail"].blocked_by

    fleet.policy(total=1)
    fleet.beat("a", short_of_memory=True)
    assert blocked_by() == "", "nothing is queued"
    fleet.jobs("j1", "j2")
    assert blocked_by() == Blocker.MEMORY
    fleet.beat("b")
    assert blocked_by() == ""
    fleet.beat("b", short_of_memory=True)
    assert [instance.short_of_memory for instance in fleet.operator.inspect().queues["mail"].instances] == [True, True]
    fleet.start("a.0")
    assert blocked_by() == Blocker.CONCURRENCY_TOTAL
    fleet.finish("a.0")
    fleet.beat("a")
    assert blocked_by() == ""
