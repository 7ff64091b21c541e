"""Rates of HTTP rules: "100 in 15 minutes" means in any 15 minutes, and a refusal takes nothing anywhere."""

import pytest

from headgate.gates.http import Allowed, HttpGate, RuleState
from tests.gates.conformance.crowd import MINUTE, QUARTER, Crowd, per
from tests.recorder.windows import busiest

EXACT, BUCKETS, RING = per(20, 1_000), per(300, 1_000), per(300, 1_000)
FORMS = [
    pytest.param({"rate": EXACT}, "ann", id="log"),
    pytest.param({"rate": EXACT, "cost": 3}, "ann", id="cost"),
    pytest.param({"rate": BUCKETS, "cost": 25}, "ann", id="buckets"),
    pytest.param({"rate": RING, "key": "Global", "cost": 25}, "-", id="ring"),
    pytest.param({"rate": EXACT, "count": "Failures"}, "ann", id="failures"),
]


def admitted_at(crowd: Crowd, who: str, steps: list[float]) -> list[int]:
    """As many requests as are let through, then wait, again and again; when each was admitted (ms)."""
    times = []
    for step in steps:
        while isinstance(crowd.ask(who).answer, Allowed):
            times.append(crowd.bench.now)
        crowd.bench.advance(step)
    return times


@pytest.mark.parametrize(("rule", "who"), FORMS)
@pytest.mark.parametrize("steps", [[90] * 40, [999, 2, 999, 2, 500, 499, 1, 1, 1_000], [0.3] * 5 + [7.7] * 300])
def test_no_window_holds_more_wherever_it_begins(crowd: Crowd, rule: dict, who: str, steps: list[float]) -> None:
    crowd.policy(general=rule)
    times = admitted_at(crowd, who, steps)
    cost, limit = rule.get("cost", 1), rule["rate"]["limit"]
    assert busiest(times, 1_000) == limit // cost
    assert len(times) >= sum(steps) // 1_050 * (limit // cost), "nearly all of it can be used"


@pytest.mark.parametrize("spread", [1, 1_000, 9_000])
def test_a_sliding_window_never_holds_200(crowd: Crowd, spread: float) -> None:
    """99 requests late in one fixed window and 100 early in the next: what counters by the clock let through."""
    crowd.policy(general={"rate": per(100)})
    times = []
    for _ in range(420):
        if isinstance(crowd.ask().answer, Allowed):
            times.append(crowd.bench.now)
        crowd.bench.advance(spread)
    assert busiest(times, QUARTER) == 100


def test_a_request_says_what_remains_and_when_the_window_is_empty(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(3, MINUTE)}, big={"rate": per(500, MINUTE)}, free={"in_flight": 5})
    first = crowd.ask().allowed
    assert first.states == (RuleState(0, 3, 2, MINUTE), RuleState(1, 500, 499, MINUTE), RuleState(2, 0, 0, 0))
    crowd.bench.advance(10_000)
    assert crowd.ask().allowed.states[0] == RuleState(0, 3, 1, MINUTE)
    crowd.bench.advance(10_000)
    crowd.ask()
    refusal = crowd.refused()
    assert (refusal.index, refusal.gate, refusal.retry_ms) == (0, HttpGate.RATE, 40_000)
    assert refusal.states[:2] == (RuleState(0, 3, 0, MINUTE), RuleState(1, 500, 497, MINUTE))
    crowd.bench.advance(39_999)
    assert crowd.refused().retry_ms == 1
    crowd.bench.advance(1)
    assert crowd.ask().allowed.states[0].remaining == 0


def test_all_rules_or_none_and_no_counter_of_another_rule_moves(crowd: Crowd) -> None:
    crowd.budget(total=5, rate=per(5, MINUTE))
    crowd.policy(
        general={"rate": per(100)},
        large={"rate": per(1_000)},
        auth={"rate": per(50), "count": "Failures"},
        everybody={"rate": per(1_000), "key": "Global"},
        flight={"in_flight": 9},
        shared={"budgets": [{"name": "ns/db"}]},
        admin={"rate": per(3)},
    )
    crowd.admitted(3)
    for _ in range(5):
        refusal = crowd.refused()  # which looks at every counter
        assert (refusal.index, refusal.gate) == (6, HttpGate.RATE)
        assert [state.remaining for state in refusal.states] == [97, 997, 47, 997, 0, 0, 0]
    assert crowd.ask(rules=["general"]).allowed.states[0].remaining == 96
    assert crowd.allowed_of(2, "bob") == 2, "another identity has its own counters"
    assert [crowd.counts(rule).denied for rule in ("general", "admin")] == [0, 5]


def test_the_rule_that_stands_first_in_the_document_is_named_and_the_longest_wait(crowd: Crowd) -> None:
    crowd.policy(short={"rate": per(1, 1_000)}, long={"rate": per(1, MINUTE)})
    crowd.ask()
    assert (crowd.refused().index, crowd.refused().retry_ms) == (0, MINUTE)


def test_cost_takes_so_many_starts_and_waits_until_they_fit(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(10, MINUTE), "cost": 4})
    crowd.ask()
    crowd.bench.advance(1_000)
    assert crowd.ask().allowed.states[0].remaining == 2
    assert crowd.refused().retry_ms == 59_000
    crowd.bench.advance(59_000)
    assert crowd.ask().allowed.states[0].remaining == 2


@pytest.mark.parametrize("gap", [0, 400])
@pytest.mark.parametrize(("before", "after"), [(5, 8), (8, 5), (5, 300), (300, 290), (300, 8), (290, 300)])
@pytest.mark.parametrize("key", ["ClientIP", "Global"])
def test_another_limit_applies_to_what_was_counted(crowd: Crowd, before: int, after: int, gap: int, key: str) -> None:
    """Up and down, also where starts are kept in another form from then on."""
    who = "-" if key == "Global" else "ann"
    crowd.policy(general={"rate": per(before, 1_000), "key": key})
    times = [crowd.bench.now for _ in crowd.admitted(4, who)]
    crowd.bench.advance(gap)
    times += [crowd.bench.now for _ in range(crowd.allowed_of(before, who))]
    assert len(times) == before
    crowd.policy(general={"rate": per(after, 1_000), "key": key})
    room = max(0, after - before)
    assert crowd.allowed_of(room + 3, who) == room
    crowd.bench.advance(1_000 - gap - 10)
    assert crowd.allowed_of(1, who) == 0
    crowd.bench.advance(20)  # starts of one moment are counted a microsecond apart, and buckets open a little late
    left = room + (before - 4 if gap else 0)
    assert crowd.allowed_of(1, who) == (1 if gap == 0 or left < after else 0)


def test_a_shorter_period_opens_earlier_and_a_longer_one_counts_what_is_known(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(3, MINUTE)})
    crowd.admitted(3)
    crowd.bench.advance(5_000)
    crowd.policy(general={"rate": per(3, 4_000)})
    assert crowd.allowed_of(2) == 2
    crowd.policy(general={"rate": per(3, QUARTER)})
    assert crowd.allowed_of(5) == 1, "the two of the short window stay counted"


def test_editing_another_rule_changes_nothing(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(3)}, other={"rate": per(1)})
    crowd.admitted(2, rules=["general"])
    crowd.policy(first={"rate": per(9)}, general={"rate": per(3)})
    assert crowd.allowed_of(3, rules=["general"]) == 1, "a rule is its name, wherever it stands"
    assert crowd.counts("general").allowed == 3


def test_surfaces_count_apart(crowd: Crowd) -> None:
    revision = crowd.policy("other", general={"rate": per(1)})
    crowd.policy(general={"rate": per(1)})
    assert crowd.allowed_of(2) == 1
    crowd.withdraw("other")
    assert crowd.revision > revision
    assert crowd.allowed_of(1) == 0


def test_a_clock_that_steps_back_a_little_keeps_the_promise(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(3, 1_000)})
    crowd.admitted(2)
    crowd.bench.advance(-5_000)
    assert crowd.allowed_of(3) == 1
    assert crowd.refused().retry_ms == 6_000, "counted as if they came after the others"
    crowd.bench.advance(6_001)
    assert crowd.allowed_of(3) == 3


@pytest.mark.parametrize("limit", [3, 300])
@pytest.mark.parametrize("key", ["ClientIP", "Global"])
def test_a_clock_that_steps_far_back_does_not_shut_anybody_out(crowd: Crowd, limit: int, key: str) -> None:
    who = "-" if key == "Global" else "ann"
    crowd.policy(general={"rate": per(limit), "key": key})
    crowd.admitted(limit, who)
    crowd.bench.advance(-3_600_000)
    assert crowd.allowed_of(limit + 2, who) == limit
    crowd.bench.advance(QUARTER + MINUTE)
    assert crowd.allowed_of(limit + 2, who) == limit
