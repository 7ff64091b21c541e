"""stopPolicy, RQ's suspend, mode Shadow, override, backlog, idempotency keys, and what RateLimited does."""

import pytest

from headgate.gates.verbs import Blocker, Deferred, Exists, Finished, Full, Grant, Held, NoPolicy, Queued, Returned
from tests.gates.conformance.fleet import Fleet

DAY_MS = 86_400_000


@pytest.mark.parametrize("stop", ["Hold", "HoldAndDrain"])
def test_a_held_queue_starts_nothing_and_ends_what_runs(fleet: Fleet, stop: str) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.policy(total=2, stop_policy=stop)
    assert fleet.claim("b.0") == Held()
    assert fleet.finish_claim("a.0") == (Finished.OK, Held())
    assert fleet.bench.queue("mail") == ["j2"]
    fleet.policy(total=2)
    assert fleet.start("b.0") == "j2"


def test_rqs_suspend_holds_every_queue_even_one_without_policy(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.bench.suspend(True)
    assert fleet.claim("b.0") == Held(suspended=True)
    assert fleet.claim("b.0", "unknown") == Held(suspended=True)
    assert fleet.finish_claim("a.0") == (Finished.OK, Held(suspended=True))
    fleet.bench.suspend(False)
    assert fleet.claim("b.0", "unknown") == NoPolicy()
    assert fleet.start("b.0") == "j2"


def test_shadow_refuses_nothing_and_counts_what_it_would_have_refused(fleet: Fleet) -> None:
    fleet.policy(mode="Shadow", total=1, rate_total={"limit": 2, "period_ms": 60_000})
    fleet.jobs("j1", "j2", "j3")
    assert fleet.starts("a.0", "b.0", "c.0") == ["j1", "j2", "j3"]
    assert fleet.operator.inspect().queues["mail"].shadowed == {Blocker.CONCURRENCY_TOTAL: 2, Blocker.RATE_TOTAL: 1}


def test_what_started_in_shadow_counts_when_limits_are_enforced(fleet: Fleet) -> None:
    fleet.policy(mode="Shadow", total=1, per_key=1)
    fleet.jobs("a1", "a2", "a3", key="acme")
    fleet.starts("a.0", "b.0")
    fleet.policy(total=3, per_key=2)
    assert fleet.refused("c.0").blocker == Blocker.CONCURRENCY_PER_KEY


def test_shadow_still_holds_when_it_is_told_to(fleet: Fleet) -> None:
    fleet.policy(mode="Shadow", stop_policy="Hold")
    fleet.jobs("j1")
    assert fleet.claim("a.0") == Held()


def test_an_override_is_in_force_until_it_expires_on_the_stores_clock(fleet: Fleet) -> None:
    until = fleet.bench.now + 30_000
    fleet.policy(total=3, override={"total": 1, "reason": "incident", "expire_ms": until})
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    assert fleet.refused("b.0").blocker == Blocker.CONCURRENCY_TOTAL
    fleet.pass_time(29_999, "a")
    fleet.refused("b.0")
    fleet.bench.advance(1)
    assert fleet.start("b.0") == "j2"


def test_an_override_can_lift_a_hold_and_change_the_rate(fleet: Fleet) -> None:
    until = fleet.bench.now + 30_000
    fleet.policy(
        stop_policy="Hold",
        rate_total={"limit": 5, "period_ms": 1_000},
        override={
            "stop_policy": "None",
            "rate_total": {"limit": 1, "period_ms": 1_000},
            "reason": "drain it slowly",
            "expire_ms": until,
        },
    )
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    assert fleet.refused("a.1").blocker == Blocker.RATE_TOTAL
    fleet.pass_time(30_000, "a")
    assert fleet.claim("a.1") == Held()


def test_a_rate_limited_job_goes_to_the_front_and_the_queue_sleeps(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    until = fleet.bench.now + 1_500
    assert fleet.finish("a.0", Deferred("queue", 1_500)) is Finished.OK
    assert fleet.bench.queue("mail") == ["j1", "j2"]
    refusal = fleet.refused("a.0")
    assert (refusal.blocker, refusal.open_at) == (Blocker.DEFERRED, until)
    fleet.bench.advance(1_500)
    assert fleet.start("a.0") == "j1"


@pytest.mark.parametrize("scope", ["key", "budget/ns/other"])
def test_a_scope_that_the_job_has_not_got_means_its_queue(fleet: Fleet, scope: str) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.finish("a.0", Deferred(scope, 1_000))
    assert fleet.refused("a.0").blocker == Blocker.DEFERRED


def test_a_backlog_is_refused_at_the_door_and_says_how_long_it_is(fleet: Fleet) -> None:
    fleet.policy(backlog=2)
    assert fleet.produce("j1") == Queued("j1", 1)
    assert fleet.produce("j2") == Queued("j2", 2)
    assert fleet.produce("j3") == Full(2, 2)
    assert fleet.bench.job("j3") is None
    fleet.start("a.0")
    assert fleet.produce("j3") == Queued("j3", 2)


def test_a_job_put_at_the_front_is_the_next(fleet: Fleet) -> None:
    fleet.policy()
    fleet.produce("j1")
    fleet.produce("j2", at_front=True)
    assert fleet.start("a.0") == "j2"


def test_the_same_idempotency_key_queues_once_for_a_day(fleet: Fleet) -> None:
    fleet.policy()
    assert fleet.produce("j1", idempotency_key="order-7") == Queued("j1", 1)
    assert fleet.produce("j2", idempotency_key="order-7") == Exists("j1")
    assert fleet.produce("j2", "other", idempotency_key="order-7") == Queued("j2", 1)
    fleet.bench.advance(DAY_MS)
    assert fleet.produce("j3", idempotency_key="order-7") == Queued("j3", 2)


def test_an_id_that_exists_is_not_queued_again(fleet: Fleet) -> None:
    fleet.policy(backlog=1)
    fleet.produce("j1")
    assert fleet.produce("j1") == Exists("j1")


def test_a_returned_job_may_exceed_the_backlog(fleet: Fleet) -> None:
    fleet.policy(backlog=1)
    fleet.produce("j1")
    fleet.start("a.0")
    fleet.produce("j2")
    fleet.finish("a.0", Returned())
    assert fleet.bench.queue("mail") == ["j1", "j2"]
    assert isinstance(fleet.claim("a.0"), Grant)
