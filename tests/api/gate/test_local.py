"""Limits of one process while the store is away: exact, all or none, bounded without forgetting anybody."""

from __future__ import annotations

import random

from headgate.gates.http import Allowed, Denied, HttpGate
from headgate.model.documents import BudgetShare, HttpDocument, HttpRule, RateDocument
from headgate_api.gate.local import LocalLimits
from tests.recorder import windows


def limits(*rules: HttpRule, identities: int = 1000) -> LocalLimits:
    return LocalLimits(HttpDocument(surface="api", rules=rules), identities)


def rule(name: str, limit: int, period_ms: int = 1000, **more: object) -> HttpRule:
    return HttpRule(name=name, rate=RateDocument(limit=limit, period_ms=period_ms), **more)  # type: ignore[arg-type]


def test_never_more_than_the_limit_in_any_window_and_almost_all_of_it() -> None:
    for limit, tolerance in ((7, 0), (1000, 0)):
        one, now, admitted = limits(rule("a", limit, 10_000)), 1_000, []
        pick = random.Random(limit)
        while now < 80_000:
            if isinstance(one.admit([(0, "x")], now), Allowed):
                admitted.append(now * 1_000_000)
            now += pick.randint(0, 20_000 // limit)
        assert not windows.crowded(admitted, limit, 10_000 * 1_000_000)
        assert len(admitted) > 0.9 * limit * 7 + tolerance


def test_a_part_of_the_limit_never_less_than_one_request_and_what_runs_goes_on() -> None:
    one = limits(rule("wide", 10, cost=3), HttpRule(name="places", in_flight=4))
    first = [one.admit([(1, "x")], 1000) for _ in range(3)]
    assert all(isinstance(answer, Allowed) for answer in first)
    one.share(4)
    assert [isinstance(one.admit([(0, "x")], 1000), Allowed) for _ in range(2)] == [True, False]
    assert isinstance(one.admit([(1, "x")], 1000), Denied)
    for answer in first:
        one.settle([(1, "x")], answer, failed=False)  # type: ignore[arg-type]
    assert [isinstance(one.admit([(1, "x")], 1001), Allowed) for _ in range(2)] == [True, False]
    one.share(1)
    assert [isinstance(one.admit([(0, "x")], 1002), Allowed) for _ in range(3)] == [True, True, False]


def test_a_refusal_takes_nothing_of_any_rule() -> None:
    one = limits(rule("wide", 10), rule("narrow", 2), HttpRule(name="places", in_flight=1))
    rules = [(0, "x"), (1, "x"), (2, "x")]
    first = one.admit(rules, 1000)
    assert isinstance(first, Allowed)
    assert isinstance(one.admit(rules, 1001), Denied)
    one.settle(rules, first, failed=False)
    second = one.admit(rules, 1002)
    assert isinstance(second, Allowed)
    one.settle(rules, second, failed=False)
    for moment in range(1003, 1020):
        answer = one.admit(rules, moment)
        assert isinstance(answer, Denied)
        assert (answer.index, answer.gate) == (1, HttpGate.RATE)
        assert [state.remaining for state in answer.states] == [8, 0, 0]
    assert isinstance(one.admit([(0, "x"), (2, "x")], 1021), Allowed)


def test_waiting_as_long_as_told_is_enough_and_not_too_long() -> None:
    one = limits(rule("a", 3))
    for moment in (1000, 1100, 1200):
        assert isinstance(one.admit([(0, "x")], moment), Allowed)
    answer = one.admit([(0, "x")], 1300)
    assert isinstance(answer, Denied)
    assert isinstance(one.admit([(0, "x")], 1300 + answer.retry_ms - 1), Denied)
    assert isinstance(one.admit([(0, "x")], 1300 + answer.retry_ms), Allowed)


def test_only_failures_stay_counted() -> None:
    one = limits(rule("login", 2, count="Failures"))
    for _ in range(10):
        passed = one.admit([(0, "x")], 1000)
        assert isinstance(passed, Allowed)
        one.settle([(0, "x")], passed, failed=False)
    for _ in range(2):
        passed = one.admit([(0, "x")], 1000)
        assert isinstance(passed, Allowed)
        one.settle([(0, "x")], passed, failed=True)
    assert isinstance(one.admit([(0, "x")], 1000), Denied)


def test_shadow_refuses_nobody_and_takes_nothing() -> None:
    one = limits(rule("a", 1, mode="Shadow"))
    assert one.admit([(0, "x")], 1000).shadowed == ()  # type: ignore[union-attr]
    assert one.admit([(0, "x")], 1001).shadowed == (0,)  # type: ignore[union-attr]


def test_budgets_are_the_stores_to_give() -> None:
    answer = limits(HttpRule(name="db", budgets=(BudgetShare(name="ns/db"),))).admit([(0, "-")], 1000)
    assert isinstance(answer, Denied)
    assert answer.gate == "budget/ns/db"


def test_cost() -> None:
    one = limits(rule("a", 10, cost=4))
    assert [isinstance(one.admit([(0, "x")], 1000 + at), Allowed) for at in range(3)] == [True, True, False]


def test_rotating_identities_neither_evicts_a_count_nor_passes_for_ever() -> None:
    """A bounded map that evicts would forget the victim's count, or give each new name a fresh one."""
    one = limits(rule("a", 2, 60_000), identities=50)
    for _ in range(2):
        assert isinstance(one.admit([(0, "victim")], 1000), Allowed)
    passed = sum(isinstance(one.admit([(0, f"n{number}")], 1001 + number), Allowed) for number in range(5000))
    assert passed <= 49 + 2
    assert len(one._logs) <= 51
    assert isinstance(one.admit([(0, "victim")], 7000), Denied)


def test_what_is_over_makes_room() -> None:
    one = limits(rule("a", 1, 1000), identities=50)
    for number in range(50):
        one.admit([(0, f"n{number}")], 1000)
    assert isinstance(one.admit([(0, "late")], 1001), Allowed)  # shares
    assert isinstance(one.admit([(0, "later")], 1002), Denied)
    assert all(isinstance(one.admit([(0, f"m{number}")], 5000), Allowed) for number in range(40))
