"""Budgets: one gate for several queues. All or none, first come first served across queues, room kept for HTTP."""

from headgate.gates.verbs import LEASE_MS, WAKE_MS, Deferred, Grant, Wait
from tests.gates.conformance.fleet import Fleet

NAME = "ns/mail"
BLOCKER = f"budget/{NAME}"


def two_queues(fleet: Fleet, jobs: int = 4, **budget: object) -> None:
    """Queues `red` and `blue` share the budget; each has an instance of the same name that renews."""
    fleet.budget(NAME, **budget)
    for queue in ("red", "blue"):
        fleet.policy(queue, budgets=[{"name": NAME}])
        fleet.jobs(*(f"{queue}{i}" for i in range(jobs)), queue=queue)
        fleet.beat(queue, queue=queue)


def test_queues_that_share_a_budget_never_exceed_it_together(fleet: Fleet) -> None:
    two_queues(fleet, total=2)
    fleet.start("red.0", "red")
    fleet.start("blue.0", "blue")
    refusal = fleet.refused("red.1", "red")
    assert (refusal.blocker, refusal.open_at, refusal.holders) == (BLOCKER, None, 2)
    assert len(fleet.bench.budget_holders(NAME)) == 2


def test_a_missing_budget_starts_nothing(fleet: Fleet) -> None:
    fleet.policy(budgets=[{"name": NAME}])
    fleet.jobs("j1")
    assert fleet.refused("a.0").blocker == BLOCKER
    fleet.budget(NAME, total=1)
    assert fleet.start("a.0") == "j1"


def test_a_refused_budget_takes_no_place_and_no_start_elsewhere(fleet: Fleet) -> None:
    fleet.budget("ns/full", total=1)
    fleet.budget("ns/open", total=5, rate={"limit": 1, "period_ms": 60_000})
    fleet.policy("other", budgets=[{"name": "ns/full"}])
    fleet.jobs("o1", queue="other")
    fleet.start("o.0", "other")
    fleet.policy(budgets=[{"name": "ns/open"}, {"name": "ns/full"}], rate_total={"limit": 1, "period_ms": 60_000})
    fleet.jobs("j1")
    assert fleet.refused("a.0").blocker == "budget/ns/full"
    assert fleet.bench.budget_holders("ns/open") == {}
    fleet.finish("o.0")
    assert fleet.start("a.0") == "j1", "neither rate was used up by the refusal"


def test_weights_take_and_give_back_that_many_places(fleet: Fleet) -> None:
    fleet.budget(NAME, total=5)
    fleet.policy(budgets=[{"name": NAME, "weight": 2}])
    fleet.jobs("j1", "j2", "j3")
    fleet.starts("a.0", "a.1")
    assert fleet.refused("a.2").holders == 4
    fleet.finish("a.0")
    assert len(fleet.bench.budget_holders(NAME)) == 2
    assert fleet.start("a.2") == "j3"


def test_a_budgets_rate_counts_every_queue_by_its_weight(fleet: Fleet) -> None:
    fleet.budget(NAME, rate={"limit": 3, "period_ms": 1_000})
    fleet.policy("red", budgets=[{"name": NAME, "weight": 2}])
    fleet.policy("blue", budgets=[{"name": NAME}])
    fleet.jobs("r1", "r2", queue="red")
    fleet.jobs("b1", "b2", queue="blue")
    began = fleet.bench.now
    fleet.start("red.0", "red")
    fleet.bench.advance(200)
    fleet.start("blue.0", "blue")
    assert fleet.refused("blue.1", "blue").open_at == began + 1_000
    fleet.bench.advance(800)
    assert fleet.start("blue.1", "blue") == "b2"


def test_a_freed_place_goes_to_whoever_waits_longest_not_to_the_busy_queue(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    _, answer = fleet.finish_claim("red.0")
    assert isinstance(answer, Wait), "a busy queue never out-runs another's waiter"
    assert answer.blocker == BLOCKER
    assert ("blue", "blue") in fleet.bench.wakes()
    assert fleet.start("blue.0", "blue") == "blue0"
    _, answer = fleet.finish_claim("blue.0")
    assert isinstance(answer, Wait)
    assert fleet.start("red.0", "red") == "red1"


def test_a_place_carried_by_a_wake_is_kept_half_a_second(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    fleet.finish("red.0")
    fleet.bench.advance(WAKE_MS - 1)
    assert fleet.refused("red.0", "red").blocker == BLOCKER
    fleet.bench.advance(1)
    assert fleet.start("red.0", "red") == "red1"


def test_waiters_are_served_in_the_order_they_came(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.policy("green", budgets=[{"name": NAME}])
    fleet.jobs("green0", queue="green")
    fleet.beat("green", queue="green")
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    fleet.bench.advance(10)
    fleet.refused("green.0", "green")
    fleet.finish("red.0")
    fleet.refused("green.0", "green")
    assert fleet.start("blue.0", "blue") == "blue0"
    fleet.finish("blue.0")
    assert fleet.start("green.0", "green") == "green0"


def test_a_dead_waiter_is_passed_over(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    fleet.pass_time(15_000, "red", queue="red")
    _, answer = fleet.finish_claim("red.0")
    assert isinstance(answer, Grant)


def test_a_heavy_waiter_is_not_starved_by_light_ones(fleet: Fleet) -> None:
    fleet.budget(NAME, total=2)
    fleet.policy("red", budgets=[{"name": NAME}])
    fleet.policy("blue", budgets=[{"name": NAME, "weight": 2}])
    fleet.jobs("r1", "r2", "r3", "r4", queue="red")
    fleet.jobs("b1", queue="blue")
    for pod in ("red", "blue"):
        fleet.beat(pod, queue=pod)
    fleet.starts("red.0", "red.1", queue="red")
    fleet.refused("blue.0", "blue")
    for slot in ("red.0", "red.1"):
        _, answer = fleet.finish_claim(slot)
        assert isinstance(answer, Wait)
    assert fleet.start("blue.0", "blue") == "b1"


def test_jobs_leave_room_for_http(fleet: Fleet) -> None:
    two_queues(fleet, total=3, http_reserved=2)
    fleet.start("red.0", "red")
    assert fleet.refused("red.1", "red").blocker == BLOCKER
    end = fleet.bench.now + LEASE_MS
    fleet.bench.hold_http(NAME, "h:api:1", end)
    fleet.bench.hold_http(NAME, "h:api:2", end)
    assert fleet.refused("red.1", "red").holders == 3
    fleet.finish("red.0")
    assert fleet.start("red.0", "red") == "red1", "the places reserved for HTTP are in use by HTTP"
    assert fleet.refused("red.1", "red").blocker == BLOCKER


def test_a_dead_pods_places_come_back_after_its_lease(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.start("red.0", "red")
    fleet.kill("red")
    fleet.pass_time(LEASE_MS, "blue", queue="blue")
    assert fleet.start("blue.0", "blue") == "blue0"


def test_a_renewed_place_is_held_and_a_lapsed_one_whose_room_was_taken_is_gone(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.start("red.0", "red")
    fleet.pass_time(2 * LEASE_MS, "red", queue="red")
    assert fleet.refused("blue.0", "blue").blocker == BLOCKER
    fleet.pass_time(LEASE_MS, "blue", queue="blue")
    fleet.start("blue.0", "blue")
    assert [kept.value for kept in fleet.beat("red", queue="red").kept.values()] == ["gone"]
    assert len([end for end in fleet.bench.budget_holders(NAME).values() if end > fleet.bench.now]) == 1


def test_a_raised_budget_is_used_at_once(fleet: Fleet) -> None:
    two_queues(fleet, total=1)
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    fleet.budget(NAME, total=2)
    assert ("blue", "blue") in fleet.bench.wakes()
    assert fleet.start("blue.0", "blue") == "blue0"


def test_a_lowered_budget_starts_nothing_until_it_fits(fleet: Fleet) -> None:
    two_queues(fleet, total=2)
    fleet.start("red.0", "red")
    fleet.start("blue.0", "blue")
    fleet.budget(NAME, total=1)
    fleet.finish("red.0")
    fleet.refused("red.0", "red")
    fleet.finish("blue.0")
    assert isinstance(fleet.claim("red.0", "red"), Grant)


def test_a_carried_place_is_not_above_a_total_lowered_meanwhile(fleet: Fleet) -> None:
    two_queues(fleet, total=2)
    fleet.start("red.0", "red")
    fleet.start("red.1", "red")
    fleet.refused("blue.0", "blue")
    fleet.finish("red.0")
    fleet.budget(NAME, total=1)
    assert fleet.refused("blue.0", "blue").blocker == BLOCKER
    fleet.finish("red.1")
    assert fleet.start("blue.0", "blue") == "blue0"


def test_a_weight_raised_meanwhile_needs_more_than_the_carried_place(fleet: Fleet) -> None:
    two_queues(fleet, total=2)
    fleet.starts("red.0", "red.1", queue="red")
    fleet.refused("blue.0", "blue")
    fleet.finish("red.0")
    fleet.policy("blue", budgets=[{"name": NAME, "weight": 2}])
    assert fleet.refused("blue.0", "blue").blocker == BLOCKER
    fleet.finish("red.1")
    fleet.bench.advance(WAKE_MS)
    assert fleet.start("blue.0", "blue") == "blue0"


def test_a_budget_that_sleeps_holds_all_its_queues(fleet: Fleet) -> None:
    two_queues(fleet, total=5)
    fleet.start("red.0", "red")
    until = fleet.bench.now + 2_000
    fleet.finish("red.0", Deferred(BLOCKER, 2_000))
    for slot, queue in (("red.0", "red"), ("blue.0", "blue")):
        refusal = fleet.refused(slot, queue)
        assert (refusal.blocker, refusal.open_at) == (BLOCKER, until)
    fleet.bench.advance(2_000)
    assert fleet.start("red.0", "red") == "red0"


def test_no_place_of_a_budget_is_left_when_all_is_done(fleet: Fleet) -> None:
    """Not even a reservation whose waiter never came, or the place of a lost job whose policy left the budget."""
    two_queues(fleet, jobs=2, total=1)
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    fleet.finish("red.0")
    fleet.bench.advance(WAKE_MS)
    fleet.start("red.0", "red")
    fleet.kill("red")
    fleet.policy("red")
    fleet.pass_time(LEASE_MS, "blue", queue="blue")
    fleet.operator.reap()
    assert fleet.bench.queue("red") == ["red1"]
    fleet.beat("blue", queue="blue")
    assert fleet.bench.budget_holders(NAME) == {}
