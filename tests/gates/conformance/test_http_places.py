"""Places of requests in flight: inFlight, budgets shared with jobs, leases that lapse, and quarantine."""

import pytest

from headgate.gates.http import HttpGate
from headgate.gates.verbs import LEASE_MS, RENEW_MS, Deferred, Grant
from tests.gates.conformance.crowd import Asked, Crowd, per
from tests.gates.conformance.fleet import Fleet

NAME = "ns/db"
GATE = f"budget/{NAME}"


def test_in_flight_counts_until_the_request_ends(crowd: Crowd) -> None:
    crowd.policy(flight={"in_flight": 2})
    first, second = crowd.admitted(2)
    refusal = crowd.refused()
    assert (refusal.gate, refusal.retry_ms) == (HttpGate.IN_FLIGHT, 0)
    assert crowd.allowed_of(1, "bob") == 1
    assert [crowd.end(first), crowd.end(first)] == [1, 0]
    assert crowd.allowed_of(3) == 1
    assert crowd.end(second) == 1


def test_places_are_kept_by_renewals_and_lapse_in_a_lease(crowd: Crowd) -> None:
    crowd.policy(flight={"in_flight": 2})
    kept, lost = crowd.ask(api="api-1"), crowd.ask(api="api-2")
    for _ in range(LEASE_MS // RENEW_MS - 1):
        crowd.bench.advance(RENEW_MS)
        crowd.beat("api-1", kept)
    crowd.bench.advance(RENEW_MS - 1)
    crowd.refused()
    crowd.bench.advance(1)
    assert crowd.allowed_of(3) == 1, "api-2 was killed"
    crowd.beat("api-2", lost)
    crowd.refused()


def test_a_beat_does_not_bring_back_what_ended(crowd: Crowd) -> None:
    """It was written before the request ended and arrives after."""
    crowd.budget(total=1)
    crowd.policy(flight={"in_flight": 1, "budgets": [{"name": NAME}]})
    one = crowd.ask()
    crowd.end(one)
    crowd.beat("api-1", one)
    assert crowd.allowed_of(1) == 1


def test_a_store_that_stood_still_gives_places_back_to_who_lives(crowd: Crowd) -> None:
    crowd.policy(flight={"in_flight": 1})
    one = crowd.ask()
    crowd.bench.advance(35_000)
    crowd.beat("api-1", one)
    crowd.refused()


def test_requests_take_budget_places_by_weight_and_give_them_back(crowd: Crowd) -> None:
    crowd.budget(total=3)
    crowd.policy(heavy={"budgets": [{"name": NAME, "weight": 2}]}, light={"budgets": [{"name": NAME}]})
    both = crowd.ask()
    assert len(crowd.bench.budget_holders(NAME)) == 2, "one request takes a budget once"
    assert (crowd.refused().index, crowd.refused().gate) == (0, GATE)
    light = crowd.ask(rules=["light"])
    assert crowd.bench.budget_http_holders(NAME) == crowd.bench.budget_holders(NAME)
    assert crowd.end(both, light) == 2
    assert crowd.bench.budget_holders(NAME) == crowd.bench.budget_http_holders(NAME) == {}


def test_lapsed_places_do_not_pile_up(crowd: Crowd) -> None:
    """API processes die again and again, and no worker shares the budget."""
    crowd.budget(total=3)
    crowd.policy(shared={"budgets": [{"name": NAME}], "in_flight": 3})
    for life in range(20):
        one, *_ = crowd.admitted(3, api=f"api-{life}")
        crowd.beat(f"api-{life}", one)
        crowd.bench.advance(LEASE_MS)
    assert len(crowd.bench.budget_holders(NAME)) <= 3 * (40_000 // LEASE_MS + 1)
    assert len(crowd.bench.budget_http_holders(NAME)) <= 3 * (40_000 // LEASE_MS + 1)


def test_a_budget_that_is_not_published_refuses(crowd: Crowd) -> None:
    crowd.policy(shared={"rate": per(5), "budgets": [{"name": "ns/none"}]})
    refusal = crowd.refused()
    assert (refusal.gate, refusal.retry_ms, refusal.states[0].remaining) == ("budget/ns/none", 0, 5)


def test_a_budgets_rate_counts_requests_and_jobs_alike(crowd: Crowd, fleet: Fleet) -> None:
    crowd.budget(rate=per(3, 10_000))
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    fleet.policy(budgets=[{"name": NAME}])
    fleet.jobs("j1", "j2", "j3")
    crowd.admitted(2)
    crowd.bench.advance(4_000)
    fleet.start("a.0")
    assert (crowd.refused().gate, crowd.refused().retry_ms) == (GATE, 6_000)
    assert fleet.refused("a.1").open_at == crowd.bench.now + 6_000


def test_jobs_leave_room_for_requests_and_requests_may_take_all(crowd: Crowd, fleet: Fleet) -> None:
    crowd.budget(total=4, http_reserved=2)
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    fleet.policy(total=10, budgets=[{"name": NAME}])
    fleet.jobs(*(f"j{i}" for i in range(9)))
    assert len(fleet.starts("a.0", "a.1")) == 2
    assert fleet.refused("a.2").blocker == GATE
    requests = crowd.admitted(2)
    assert crowd.refused().gate == GATE
    assert len(crowd.bench.budget_holders(NAME)) == 4
    fleet.finish("a.0")
    more = crowd.ask()
    assert more.allowed, "what is free is anybody's"
    crowd.end(*requests, more)
    assert isinstance(fleet.claim("a.2"), Grant)
    assert fleet.refused("a.3").blocker == GATE


def test_jobs_and_requests_together_never_exceed_the_total(crowd: Crowd, fleet: Fleet) -> None:
    crowd.budget(total=5, http_reserved=2)
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    fleet.policy(total=20, budgets=[{"name": NAME}])
    fleet.jobs(*(f"j{i}" for i in range(60)))
    fleet.beat("a")
    asked = []
    for turn in range(60):
        if isinstance(fleet.claim(f"a.{turn % 20}"), Grant) and turn % 3 == 0:
            fleet.finish(f"a.{turn % 20}")
        one = crowd.ask()
        if hasattr(one.answer, "places"):
            asked.append(one)
        if turn % 4 == 3 and asked:
            crowd.end(asked.pop(0))
        live = [end for end in crowd.bench.budget_holders(NAME).values() if end > crowd.bench.now]
        assert len(live) <= 5
        for slot in [slot for slot in list(fleet.running) if slot == f"a.{(turn * 7) % 20}"]:
            fleet.finish(slot)
        crowd.bench.advance(137)


def test_a_place_that_a_request_gives_back_goes_to_the_job_that_waits(crowd: Crowd, fleet: Fleet) -> None:
    crowd.budget(total=1)
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    fleet.policy(budgets=[{"name": NAME}])
    fleet.jobs("j1")
    fleet.beat("a")
    one = crowd.ask()
    assert fleet.refused("a.0").blocker == GATE
    crowd.bench.wakes()
    crowd.end(one)
    assert crowd.bench.wakes() == [("a", "mail")]
    assert crowd.refused().gate == GATE, "its place is kept for it"
    assert fleet.start("a.0") == "j1"


def test_inspect_names_the_requests_that_hold_a_budget(crowd: Crowd) -> None:
    crowd.budget(total=2)
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    one = crowd.ask()
    gate = crowd.bench.gates("operator").inspect().budgets[NAME][0]
    assert gate.holders == ((f"h:{one.admit.request}", crowd.bench.now + LEASE_MS),)


def test_inspect_says_that_what_is_kept_for_requests_holds_the_jobs(crowd: Crowd, fleet: Fleet) -> None:
    crowd.budget(total=2, http_reserved=1)
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    fleet.policy(budgets=[{"name": NAME}])
    fleet.jobs("j1", "j2", "j3")
    fleet.beat("a")
    fleet.start("a.0")
    state = fleet.operator.inspect()
    assert (state.budgets[NAME][0].used, state.budgets[NAME][0].reserved) == (1, 1)
    assert state.queues["mail"].blocked_by == GATE
    crowd.ask()
    assert fleet.operator.inspect().budgets[NAME][0].reserved == 0


# ---- lost data ----


@pytest.fixture
def forgetful(crowd: Crowd) -> Crowd:
    """Ann has a request in flight that the store forgot."""
    crowd.budget(total=2)
    crowd.policy(rated={"rate": per(3)}, flight={"in_flight": 1}, shared={"budgets": [{"name": NAME}]})
    return crowd


def forget(crowd: Crowd, rule: str) -> Asked:
    """A request that the store then forgets."""
    before = crowd.bench.snapshot()
    one = crowd.ask(rules=[rule])
    assert one.allowed.places
    crowd.bench.restore(before)
    return one


@pytest.mark.parametrize(("rule", "index"), [("flight", 1), ("shared", 2)])
def test_after_lost_data_places_wait_for_a_lease_and_rates_go_on(forgetful: Crowd, rule: str, index: int) -> None:
    crowd = forgetful
    one = forget(crowd, rule)
    first = crowd.ask(rules=[rule]).denied
    assert (first.index, first.gate, first.retry_ms) == (index, HttpGate.QUARANTINE, LEASE_MS)
    assert crowd.allowed_of(4, rules=["rated"]) == 3, "nobody is shut out of a rule that only counts starts"
    assert crowd.beat("api-1", one).quarantine_until == crowd.bench.now + LEASE_MS
    crowd.bench.advance(LEASE_MS - 1)
    assert crowd.refused(rules=[rule]).retry_ms == 1
    crowd.beat("api-1", one)
    crowd.bench.advance(1)
    if rule == "flight":
        assert crowd.refused(rules=[rule]).gate == HttpGate.IN_FLIGHT, "what runs was taken in again"
    else:
        assert crowd.allowed_of(3, rules=[rule]) == 1


def test_a_budgets_rate_counts_as_full_after_lost_data(forgetful: Crowd) -> None:
    """It is a promise to others; a rule's own rate is not worth shutting everybody out."""
    forgetful.budget(rate=per(5, 60_000))
    forget(forgetful, "shared")
    forgetful.ask(rules=["shared"])
    lost_at = forgetful.bench.now
    forgetful.bench.advance(LEASE_MS)
    assert forgetful.refused(rules=["shared"]).retry_ms == lost_at + 60_000 - forgetful.bench.now
    forgetful.bench.advance(40_000)
    assert forgetful.allowed_of(6, rules=["shared"]) == 5


def test_a_job_that_was_told_to_slow_down_holds_requests_back_too(crowd: Crowd, fleet: Fleet) -> None:
    crowd.budget(total=5)
    crowd.policy(shared={"budgets": [{"name": NAME}]})
    fleet.policy(budgets=[{"name": NAME}])
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.finish("a.0", Deferred(GATE, 7_000))
    assert (crowd.refused().gate, crowd.refused().retry_ms) == (GATE, 7_000)
    crowd.bench.advance(7_000)
    assert crowd.allowed_of(1) == 1


def test_an_empty_store_counts_from_nothing(crowd: Crowd) -> None:
    crowd.policy(rated={"rate": per(3)})
    crowd.admitted(3)
    crowd.bench.wipe()
    crowd.policy(rated={"rate": per(3)})
    assert crowd.allowed_of(5) == 3
