"""Rates: in no window of one period, wherever it begins, more starts than the limit; and nearly all are used."""

from typing import Any

import pytest

from headgate.gates.verbs import LEASE_MS, Blocker, Empty, Grant, Returned, Wait
from tests.gates.conformance.fleet import Fleet, instance_of
from tests.recorder.windows import busiest

SECOND = {"limit": 3, "period_ms": 1_000}


def started_at(fleet: Fleet, slot: str, ms: int, step: int, queue: str = "mail") -> list[int]:
    """Claim every `step` ms for `ms`, ending each job at once; when each start was."""
    times = []
    for _ in range(0, ms, step):
        while isinstance(fleet.claim(slot, queue), Grant):
            times.append(fleet.bench.now)
            fleet.finish(slot)
        fleet.bench.advance(step)
        fleet.beat(instance_of(slot), queue=queue)
    return times


@pytest.mark.parametrize(
    "limits",
    [{"rate_total": SECOND}, {"rate_per_worker": SECOND}, {"rate_per_key": SECOND}],
    ids=["total", "perWorker", "perKey"],
)
def test_no_window_holds_more_and_all_is_used(fleet: Fleet, limits: dict[str, Any]) -> None:
    fleet.policy(**limits)
    fleet.jobs(*(f"j{i}" for i in range(20)), key="acme")
    times = started_at(fleet, "a.0", 4_000, 130)
    assert busiest(times, 1_000) == 3
    assert len(times) >= 3 * 3


@pytest.mark.parametrize(
    ("limits", "blocker"),
    [
        ({"rate_total": SECOND}, Blocker.RATE_TOTAL),
        ({"rate_per_worker": SECOND}, Blocker.RATE_PER_WORKER),
        ({"rate_per_key": SECOND}, Blocker.RATE_PER_KEY),
    ],
    ids=["total", "perWorker", "perKey"],
)
def test_the_refusal_says_exactly_when_it_opens(fleet: Fleet, limits: dict[str, Any], blocker: str) -> None:
    fleet.policy(**limits)
    fleet.jobs("j1", "j2", "j3", "j4", key="acme")
    fleet.starts("a.0", "a.1", "a.2")
    first = fleet.bench.now
    fleet.bench.advance(300)
    refusal = fleet.refused("a.3")
    assert (refusal.blocker, refusal.open_at) == (blocker, first + 1_000)
    fleet.bench.advance(699)
    fleet.refused("a.3")
    fleet.bench.advance(1)
    assert fleet.start("a.3") == "j4"


def test_starts_are_counted_by_the_microsecond(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 1, "period_ms": 10})
    fleet.jobs("j1", "j2")
    fleet.bench.advance(0.4)
    fleet.start("a.0")
    fleet.bench.advance(9.9)
    fleet.refused("b.0")
    fleet.bench.advance(0.1)
    assert fleet.start("b.0") == "j2"


def test_a_job_handed_back_and_started_again_counts_again(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 2, "period_ms": 1_000})
    fleet.jobs("j1")
    for _ in range(2):
        fleet.start("a.0")
        fleet.finish("a.0", Returned())
    assert fleet.refused("a.0").blocker == Blocker.RATE_TOTAL


def test_each_pod_has_its_own_worker_rate(fleet: Fleet) -> None:
    fleet.policy(rate_per_worker={"limit": 1, "period_ms": 1_000})
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    assert fleet.refused("a.1").blocker == Blocker.RATE_PER_WORKER
    fleet.start("b.0")


@pytest.mark.parametrize(
    ("before", "after"), [((5, 1_000), (2, 1_000)), ((2, 1_000), (5, 1_000)), ((4, 500), (4, 3_000))]
)
def test_a_limit_changed_live_holds_from_its_first_window(
    fleet: Fleet, before: tuple[int, int], after: tuple[int, int]
) -> None:
    fleet.policy(rate_total={"limit": before[0], "period_ms": before[1]})
    fleet.jobs(*(f"j{i}" for i in range(60)))
    times = started_at(fleet, "a.0", 2_000, 90)
    changed = fleet.bench.now
    fleet.policy(rate_total={"limit": after[0], "period_ms": after[1]})
    times += started_at(fleet, "a.0", 7_000, 90)
    assert busiest([at for at in times if at < changed], before[1]) <= before[0]
    assert busiest([at for at in times if at >= changed], after[1]) == after[0]


def test_a_longer_period_starts_full(fleet: Fleet) -> None:
    """What ran before the change counts in the longer window too."""
    fleet.policy(rate_total={"limit": 2, "period_ms": 1_000})
    fleet.jobs(*(f"j{i}" for i in range(200)))
    times = started_at(fleet, "a.0", 40_000, 500)
    fleet.policy(rate_total={"limit": 4, "period_ms": 60_000})
    refusal = fleet.refused("a.0")
    assert refusal.open_at is not None
    assert refusal.open_at >= times[-4] + 60_000 - 1


@pytest.mark.parametrize("limit", [256, 300], ids=["ring", "buckets"])
def test_a_keyed_rate_is_each_keys_own_and_never_above_its_limit(fleet: Fleet, limit: int) -> None:
    fleet.policy(rate_per_key={"limit": limit, "period_ms": 1_000})
    fleet.jobs(*(f"a{i}" for i in range(limit + 1)), key="acme")
    for _ in range(limit):
        fleet.start("w.0")
        fleet.finish("w.0")
    began = fleet.bench.now
    fleet.jobs("b0", key="bolt")
    assert fleet.start("w.0") == "b0"
    fleet.finish("w.0")
    refusal = fleet.refused("w.0")
    assert refusal.blocker == Blocker.RATE_PER_KEY
    assert refusal.open_at is not None
    assert began + 1_000 <= refusal.open_at <= began + 1_000 + 1_000 // 128 + 1
    fleet.bench.advance(refusal.open_at - fleet.bench.now)
    assert fleet.start("w.0") == f"a{limit}"


def test_buckets_never_allow_more_than_the_limit_in_any_window(fleet: Fleet) -> None:
    fleet.policy(rate_per_key={"limit": 257, "period_ms": 1_280})
    fleet.jobs(*(f"j{i}" for i in range(700)), key="acme")
    times = []
    for _ in range(330):
        for _ in range(3):
            if isinstance(fleet.claim("a.0"), Grant):
                times.append(fleet.bench.now)
                fleet.finish("a.0")
        fleet.bench.advance(7.3)
    assert 250 < busiest(times, 1_280) <= 257


def test_the_kth_who_waits_is_told_the_kth_opening(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 4, "period_ms": 1_000})
    fleet.jobs(*(f"j{i}" for i in range(8)))
    began = fleet.bench.now
    for slot in ("w.0", "w.1", "w.2", "w.3"):
        fleet.start(slot)
        fleet.bench.advance(100)
    told = [fleet.refused(f"{pod}.0").open_at for pod in ("a", "b", "c")]
    assert told == [began + 1_000, began + 1_100, began + 1_200]
    assert fleet.refused("b.0").open_at == began + 1_100, "asking again keeps its turn"


def test_waiters_beyond_the_limit_are_told_later_periods(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 2, "period_ms": 1_000})
    fleet.jobs(*(f"j{i}" for i in range(8)))
    began = fleet.bench.now
    fleet.start("w.0")
    fleet.bench.advance(100)
    fleet.start("w.1")
    told = [fleet.refused(f"{pod}.0").open_at for pod in "abcde"]
    assert told == [began + 1_000, began + 1_100, began + 2_000, began + 2_100, began + 3_000]


def test_nobody_is_told_to_come_back_in_the_past(fleet: Fleet) -> None:
    """Another queue's waiter was promised the only opening and is late: the next one must not ask in a circle."""
    fleet.budget("ns/b", rate={"limit": 1, "period_ms": 1_000})
    for queue in ("red", "blue"):
        fleet.policy(queue, budgets=[{"name": "ns/b"}])
        fleet.jobs(f"{queue}0", f"{queue}1", queue=queue)
    fleet.start("red.0", "red")
    fleet.refused("blue.0", "blue")
    for _ in range(5):
        fleet.bench.advance(240)
        fleet.refused("red.0", "red")
    fleet.bench.advance(300)
    assert fleet.start("red.0", "red") == "red1"


def test_a_late_waiter_does_not_hold_up_the_others_for_long(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 1, "period_ms": 1_000})
    fleet.jobs("j1", "j2")
    fleet.start("w.0")
    fleet.refused("dead.0")
    fleet.bench.advance(2_000)
    assert fleet.start("b.0") == "j2"


def test_a_clock_that_steps_back_a_little_allows_no_extra_start(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 1, "period_ms": 1_000})
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.bench.advance(-LEASE_MS + 1)
    for _ in range(20):
        assert isinstance(fleet.claim("b.0"), Wait)
        fleet.bench.advance(1_000)
    fleet.bench.advance(999)
    assert fleet.start("b.0") == "j2"


def test_a_step_back_that_nobody_notices_allows_no_extra_start(fleet: Fleet) -> None:
    """The last beat is nine seconds old: 25 seconds back is less than a lease before it, so no data counts as lost."""
    fleet.policy(rate_total={"limit": 1, "period_ms": 1_000})
    fleet.jobs("j1", "j2")
    fleet.beat("a")
    fleet.bench.advance(9_000)
    fleet.start("a.0")
    fleet.bench.advance(-25_000)
    assert fleet.refused("a.1").blocker == Blocker.RATE_TOTAL


@pytest.mark.parametrize("limit", [2, 257], ids=["ring", "buckets"])
def test_a_step_back_by_more_than_a_period_allows_a_key_no_extra_start(fleet: Fleet, limit: int) -> None:
    fleet.policy(rate_per_key={"limit": limit, "period_ms": 1_000})
    fleet.jobs(*(f"j{i}" for i in range(limit + 2)), key="acme")
    for _ in range(limit):
        fleet.start("a.0")
        fleet.finish("a.0")
    fleet.bench.advance(-5_000)
    assert fleet.refused("a.0").blocker == Blocker.RATE_PER_KEY
    fleet.bench.advance(6_010)
    fleet.start("a.0")
    fleet.bench.advance(-3_000)
    fleet.start("a.1")


def test_no_rate_no_refusal(fleet: Fleet) -> None:
    fleet.policy()
    fleet.jobs(*(f"j{i}" for i in range(30)))
    for _ in range(30):
        fleet.start("a.0")
        fleet.finish("a.0")
    assert fleet.claim("a.0") == Empty(0)
