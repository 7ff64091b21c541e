"""Rules in Shadow: they count for themselves, tell what they would have refused, and take nothing that others need."""

from headgate.gates.http import Allowed
from tests.gates.conformance.crowd import Crowd, per

NAME = "ns/db"


def test_a_shadow_rule_refuses_nothing_and_tells_what_it_would_have(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(10)}, strict={"rate": per(2), "mode": "Shadow"})
    answers = [crowd.ask().allowed for _ in range(5)]
    assert [answer.shadowed for answer in answers] == [(), (), (1,), (1,), (1,)]
    assert [answer.states[1].remaining for answer in answers] == [1, 0, 0, 0, 0]
    assert [answer.states[0].remaining for answer in answers] == [9, 8, 7, 6, 5]
    counts = crowd.counts("strict")
    assert (counts.allowed, counts.denied, counts.shadowed) == (2, 0, 3)


def test_what_it_would_refuse_takes_none_of_its_own_places_either(crowd: Crowd) -> None:
    crowd.policy(strict={"rate": per(1), "in_flight": 1, "mode": "Shadow"})
    first, second = crowd.admitted(2)
    assert second.allowed.places == ()
    assert crowd.end(first) == 1


def test_it_never_takes_from_a_budget_that_others_share(crowd: Crowd) -> None:
    crowd.budget(total=1)
    crowd.policy(strict={"budgets": [{"name": NAME}], "mode": "Shadow"}, real={"budgets": [{"name": NAME}]})
    crowd.admitted(2, rules=["strict"])
    assert crowd.bench.budget_holders(NAME) == {}
    crowd.admitted(1, rules=["real"])
    assert crowd.ask(rules=["strict"]).allowed.shadowed == (0,)


def test_when_a_real_rule_refuses_the_shadow_rule_takes_nothing(crowd: Crowd) -> None:
    crowd.policy(real={"rate": per(1)}, strict={"rate": per(9), "mode": "Shadow"})
    crowd.ask()
    crowd.refused()
    assert crowd.ask(rules=["strict"]).allowed.states[0].remaining == 7


def test_put_in_force_it_starts_from_what_it_counted(crowd: Crowd) -> None:
    crowd.policy(strict={"rate": per(2), "mode": "Shadow"})
    crowd.admitted(5)
    crowd.policy(strict={"rate": per(2)})
    assert crowd.refused().index == 0


def test_near_is_counted_above_four_fifths(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(10)}, flight={"in_flight": 2})
    crowd.admitted(10, rules=["general"])
    assert crowd.counts("general").near == 2
    crowd.admitted(2, rules=["flight"])
    assert crowd.counts("flight").near == 1


def test_different_identities_that_were_refused_are_counted_apart(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(1)})
    for who in ("ann", "bob", "cat"):
        assert isinstance(crowd.ask(who).answer, Allowed)
        for _ in range(3):
            crowd.refused(who)
    counts = crowd.counts("general")
    assert (counts.allowed, counts.denied, counts.identities_denied) == (3, 9, 3)
