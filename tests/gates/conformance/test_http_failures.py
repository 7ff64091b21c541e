"""count: Failures: reserved before it is known, forgotten when it was none, and bans that grow."""

from headgate.gates.http import Allowed, HttpGate
from headgate.gates.verbs import Seen
from tests.gates.conformance.crowd import MINUTE, QUARTER, Asked, Crowd, per

AUTH = {"rate": per(5), "count": "Failures"}
HOUR, DAY = 3_600_000, 86_400_000


def fail(crowd: Crowd, n: int = 5, who: str = "ann") -> list[Asked]:
    asked = crowd.admitted(n, who)
    crowd.end(*asked, failed=True)
    return asked


def ban_left(crowd: Crowd, who: str = "ann") -> int:
    refusal = crowd.refused(who)
    assert refusal.gate == HttpGate.BAN, refusal
    assert refusal.states[0].remaining == 0
    return refusal.retry_ms


def test_what_succeeds_is_not_counted(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    for _ in range(50):
        one = crowd.ask()
        assert one.allowed.states[0].remaining == 4
        assert crowd.end(one) == 1
        crowd.bench.advance(100)


def test_the_sixth_wrong_password_is_refused(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    for _ in range(5):
        assert crowd.end(crowd.ask(), failed=True) == 0
        crowd.end(crowd.ask(api="api-2"), failed=False) if crowd.counts("auth").allowed < 7 else None
        crowd.bench.advance(1_000)
    assert ban_left(crowd) > 0
    assert isinstance(crowd.ask("bob").answer, Allowed)


def test_parallel_guesses_cannot_slip_through(crowd: Crowd) -> None:
    """Nobody has been told yet that any of them failed."""
    crowd.policy(auth=AUTH)
    answers = [crowd.ask(api=f"api-{i % 4}") for i in range(40)]
    asked = [one for one in answers if isinstance(one.answer, Allowed)]
    assert len(asked) == 5
    assert answers[-1].denied.gate == HttpGate.RATE, "not banned before it is known that they failed"
    crowd.end(*asked[:4], failed=True)
    assert crowd.refused().gate == HttpGate.RATE
    crowd.end(asked[4], failed=False)
    assert isinstance(crowd.ask().answer, Allowed), "the right password among them opens one place"


def test_what_is_never_reported_counts_as_a_failure_but_bans_nobody(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    crowd.admitted(5)
    refusal = crowd.refused()
    assert (refusal.gate, refusal.retry_ms) == (HttpGate.RATE, QUARTER)
    crowd.bench.advance(QUARTER + 1)
    assert crowd.allowed_of(9) == 5


def test_settling_twice_or_too_late_does_nothing_more(crowd: Crowd) -> None:
    crowd.policy(auth={"rate": per(2, MINUTE), "count": "Failures"})
    first, second = crowd.admitted(2)
    assert [crowd.end(first), crowd.end(first), crowd.end(first, failed=True)] == [1, 0, 0]
    assert [crowd.end(second, failed=True), crowd.end(second)] == [0, 0], "a failure stays one"
    assert crowd.allowed_of(3) == 1
    crowd.bench.advance(MINUTE + 1)
    third = crowd.ask()
    assert crowd.end(second) == 0
    assert third.allowed.states[0].remaining == 1, "the new window is whole"
    assert crowd.allowed_of(3) == 1


def test_a_refund_after_an_edit_finds_its_rule_by_name(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    one = crowd.ask()
    crowd.policy(other={"rate": per(1), "count": "Failures"}, auth={"rate": per(5), "count": "Failures", "cost": 2})
    assert crowd.end(one) == 1
    assert crowd.ask(rules=["auth"]).allowed.states[0].remaining == 3


def test_bans_grow_and_are_forgotten_after_a_day(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    for lasts in (QUARTER, HOUR, DAY, DAY):
        fail(crowd)
        assert ban_left(crowd) == lasts
        crowd.bench.advance(lasts - 1)
        assert ban_left(crowd) == 1
        crowd.bench.advance(QUARTER + 1)
    crowd.bench.advance(DAY)
    fail(crowd)
    assert ban_left(crowd) == QUARTER, "a day after the end of the last ban"


def test_failures_spread_over_more_than_a_period_ban_nobody(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    for _ in range(12):
        fail(crowd, 1)
        crowd.bench.advance(QUARTER // 4)
    assert isinstance(crowd.ask().answer, Allowed)


def test_a_ban_stands_over_edits_of_the_limit_and_ends_with_the_rule(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    fail(crowd)
    crowd.policy(auth={"rate": per(50), "count": "Failures"})
    assert ban_left(crowd) == QUARTER
    crowd.policy(auth={"rate": per(50)})
    assert isinstance(crowd.ask().answer, Allowed), "who counts all requests bans nobody"


def test_in_shadow_it_tells_who_would_be_banned(crowd: Crowd) -> None:
    crowd.policy(auth={**AUTH, "mode": "Shadow"})
    fail(crowd)
    assert crowd.ask().allowed.shadowed == (0,)
    assert crowd.counts("auth").shadowed == 1


def test_a_ban_is_never_longer_than_it_was_whatever_the_clock_does(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    fail(crowd)
    crowd.bench.advance(-HOUR)
    assert ban_left(crowd) == QUARTER


def test_a_store_that_came_up_empty_lets_everybody_try_again(crowd: Crowd) -> None:
    crowd.policy(auth=AUTH)
    fail(crowd)
    crowd.bench.wipe()
    assert crowd.bench.gates("api-1").seen != Seen()  # type: ignore[attr-defined]
    crowd.policy(auth=AUTH)
    assert crowd.allowed_of(6) == 5
