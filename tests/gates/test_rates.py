"""Rates are exact: in no window of one period more starts than allowed, and nearly all allowed are used."""

import random

import pytest

from headgate.gates.verbs import Finished, Grant, KeysWanted, Returned, Wait
from headgate.model.documents import BudgetShare, RateDocument
from tests.gates.play import Play


def worst_window(starts: list[float], period: float) -> int:
    """The most starts in any window [t, t + period), starts sorted."""
    worst = low = 0
    for high, start in enumerate(starts):
        while start - starts[low] >= period:
            low += 1
        worst = max(worst, high - low + 1)
    return worst


def starts_over(play: Play, steps: int, step: float) -> list[float]:
    """Claim as often as the gates let, over `steps` moves of the clock; when each start was (ms)."""
    starts = []
    for i in range(steps):
        while isinstance(answer := play.claim("a.0"), Grant):
            starts.append(float(play.door.now))
            assert play.finish("a.0", Returned()) is Finished.OK
        assert isinstance(answer, Wait)
        assert answer.open_at is not None
        play.move(step)
        if i % 4 == 0:
            play.beat("a")
    return starts


@pytest.mark.parametrize(("limit", "period_ms"), [(1, 400), (7, 3_000), (40, 1_000)])
def test_never_above_the_rate_and_nearly_all_of_it(play: Play, limit: int, period_ms: int) -> None:
    play.policy(rate_total=RateDocument(limit=limit, period_ms=period_ms))
    play.enqueue(2)
    starts = starts_over(play, 60, period_ms / 1000 / 7)
    assert worst_window(starts, period_ms) == limit
    span = starts[-1] - starts[0]
    assert len(starts) >= 0.9 * limit * span / (period_ms * 8 / 7)


def test_open_at_is_exactly_when_the_next_one_starts(play: Play) -> None:
    play.policy(rate_total=RateDocument(limit=2, period_ms=60_000))
    play.beat("a"), play.enqueue(3)
    play.claim("a.0"), play.live(11, "a"), play.claim("a.1")
    answer = play.claim("a.2")
    assert isinstance(answer, Wait)
    assert answer.open_at is not None
    play.live((answer.open_at - play.door.now) / 1000 - 1, "a")
    assert isinstance(play.claim("a.2"), Wait)
    play.move(1.1)
    assert isinstance(play.claim("a.2"), Grant)


def test_limits_that_change_never_let_more_through_than_the_larger_and_soon_the_new_one(play: Play) -> None:
    rng = random.Random(7)
    play.enqueue(2)
    for _ in range(12):
        limit = rng.choice([1, 3, 9, 70])
        play.policy(rate_total=RateDocument(limit=limit, period_ms=2_000))
        starts = starts_over(play, 6, 0.5)
        assert worst_window(starts, 2_000) <= limit


def test_a_longer_period_counts_what_was_forgotten_as_full(play: Play) -> None:
    play.enqueue(2)
    play.policy(rate_total=RateDocument(limit=1, period_ms=100))
    starts = starts_over(play, 90, 0.11)
    play.policy(rate_total=RateDocument(limit=80, period_ms=60_000))
    answer = play.claim("a.0")
    assert isinstance(answer, Wait), "fewer than 80 of the 90 starts are remembered, so 80 a minute may be used up"
    assert answer.open_at is not None
    assert starts[-80] < answer.open_at - 60_000 <= starts[-1] + 1


def test_a_longer_period_uses_all_that_is_remembered(play: Play) -> None:
    play.enqueue(2)
    play.policy(rate_total=RateDocument(limit=2, period_ms=100))
    starts_over(play, 3, 0.2)
    play.policy(rate_total=RateDocument(limit=20, period_ms=60_000))
    assert isinstance(play.claim("a.0"), Grant)


def test_each_pod_has_its_own_rate(play: Play) -> None:
    play.policy(rate_per_worker=RateDocument(limit=1, period_ms=60_000))
    play.beat("a"), play.beat("b")
    play.enqueue(3)
    assert isinstance(play.claim("a.0"), Grant)
    answer = play.claim("a.1")
    assert isinstance(answer, Wait)
    assert answer.blocker == "rate.perWorker"
    assert isinstance(play.claim("b.0"), Grant)


def test_a_budgets_rate_counts_all_its_queues_by_weight(play: Play) -> None:
    play.budget("ns/mail", rate=RateDocument(limit=5, period_ms=60_000))
    play.policy("x", budgets=(BudgetShare(name="ns/mail", weight=2),))
    play.policy("y", budgets=(BudgetShare(name="ns/mail"),))
    play.enqueue(5, queue="x"), play.enqueue(5, queue="y")
    assert isinstance(play.claim("a.0", "x"), Grant)
    assert isinstance(play.claim("a.1", "x"), Grant)
    assert isinstance(play.claim("a.2", "x"), Wait)
    answer = play.claim("b.0", "y")
    assert isinstance(answer, Wait), "x waits for an opening and came first"
    for _ in range(7):
        play.live(5, "a", queue="x"), play.live(5, "b", queue="y")
    assert isinstance(play.claim("b.0", "y"), Grant)


@pytest.mark.parametrize("limit", [3, 200, 300])
def test_a_keyed_rate_holds_for_each_key_and_no_other(play: Play, limit: int) -> None:
    """Up to 256 an exact ring, above it buckets: never above the limit, at most period/128 late."""
    period = 10_000
    play.policy(rate_per_key=RateDocument(limit=limit, period_ms=period))
    play.beat("a")
    play.enqueue(1, key="x"), play.enqueue(1, key="y")
    starts: dict[tuple[str, ...], list[float]] = {}
    for i in range(15):
        while True:
            answer = play.claim("a.0")
            if isinstance(answer, KeysWanted):
                continue
            if not isinstance(answer, Grant):
                break
            starts.setdefault(answer.places, []).append(float(play.door.now))
            play.finish("a.0", Returned())
        assert isinstance(answer, Wait)
        assert answer.blocker == "rate.perKey"
        play.move(1.6)
        if i % 3 == 0:
            play.beat("a")
    assert set(starts) == {("kx",), ("ky",)}
    for times in starts.values():
        assert worst_window(times, period) == limit
        assert len(times) >= 2 * limit


def test_a_keyed_bucket_rate_that_gets_a_longer_period_counts_as_full(play: Play) -> None:
    play.policy(rate_per_key=RateDocument(limit=300, period_ms=1_000))
    play.beat("a")
    play.enqueue(1, key="x")
    play.claim("a.0"), play.finish("a.0", Returned())
    play.policy(rate_per_key=RateDocument(limit=300, period_ms=60_000))
    assert isinstance(play.claim("a.0"), Wait)
    play.move(31), play.beat("a"), play.move(31), play.beat("a")
    assert isinstance(play.claim("a.0"), Grant)
