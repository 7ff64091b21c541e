"""The store lost data, or its clock, or everybody was cut off: nothing starts for a lease, and what runs comes back."""

from collections.abc import Callable

import pytest

from headgate.gates.verbs import (
    LEASE_MS,
    RENEW_MS,
    Blocker,
    Deferred,
    Finished,
    Grant,
    Kept,
    Lost,
    Outcome,
    Quarantine,
    Returned,
)
from tests.gates.conformance.fleet import DONE, Fleet


def lose_last_writes(fleet: Fleet, write: Callable[[], object]) -> None:
    """Do something that the store then forgets."""
    before = fleet.bench.snapshot()
    write()
    fleet.bench.restore(before)


def started_and_forgotten(fleet: Fleet, total: int = 1) -> None:
    """j1 runs on a.0, and the store does not know it."""
    fleet.policy(total=total)
    fleet.jobs("j1", "j2", "j3")
    fleet.beat("a")
    lose_last_writes(fleet, lambda: fleet.start("a.0"))


def quarantined(fleet: Fleet, slot: str = "b.0") -> bool:
    return isinstance(fleet.claim(slot), Quarantine)


def test_a_first_install_starts_at_once(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    assert fleet.start("a.0") == "j1"


def test_a_newcomer_starts_at_once(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    assert fleet.start("new.0") == "j2"


def test_lost_last_writes_are_noticed_and_what_runs_is_taken_in_again(fleet: Fleet) -> None:
    started_and_forgotten(fleet)
    assert fleet.statuses(["j1"]) == {"j1": "queued"}
    assert list(fleet.beat("a").kept.values()) == [Kept.READDED]
    assert fleet.live() == 1
    assert fleet.bench.queue("mail") == ["j2", "j3"]
    assert fleet.statuses(["j1"]) == {"j1": "started"}
    assert quarantined(fleet)
    fleet.pass_time(LEASE_MS, "a")
    assert fleet.refused("b.0").blocker == Blocker.CONCURRENCY_TOTAL
    assert fleet.finish("a.0") is Finished.OK
    assert fleet.start("b.0") == "j2"


def test_an_emptied_store_is_noticed_and_what_runs_is_taken_in_again(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.bench.wipe()
    renewal = fleet.beat("a")
    assert list(renewal.kept.values()) == [Kept.READDED]
    assert renewal.quarantine_until == fleet.bench.now + LEASE_MS
    assert renewal.revision == 0, "the policy is gone too: the worker publishes its copy"
    fleet.policy(total=1)
    fleet.jobs("j2")
    assert quarantined(fleet)
    fleet.pass_time(LEASE_MS, "a")
    assert fleet.refused("b.0").blocker == Blocker.CONCURRENCY_TOTAL


@pytest.mark.parametrize(
    "outcome", [DONE, Returned(), Lost(), Deferred("queue", 1_000)], ids=["done", "returned", "lost", "deferred"]
)
def test_a_job_that_ends_in_quarantine_before_its_renewal_counts_once(fleet: Fleet, outcome: Outcome) -> None:
    started_and_forgotten(fleet)
    assert fleet.finish("a.0", outcome) is Finished.OK
    assert fleet.live() == 0
    expected = "finished" if outcome == DONE else "queued"
    assert fleet.statuses(["j1"]) == {"j1": expected}
    assert fleet.bench.queue("mail").count("j1") == (expected == "queued")


def test_a_sealed_ending_in_quarantine_is_taken_in_again(fleet: Fleet) -> None:
    started_and_forgotten(fleet)
    holding = fleet.running["a.0"].holding
    assert fleet.door("a.0").seal(holding) is True
    assert fleet.live() == 1
    assert fleet.door("a.0").release(holding) is True
    assert fleet.live() == 0


def test_after_the_quarantine_what_is_missing_is_gone(fleet: Fleet) -> None:
    started_and_forgotten(fleet)
    fleet.beat("a", slots=0)  # notices, but says nothing of what it runs
    fleet.pass_time(LEASE_MS, "z", queue="other")
    assert list(fleet.beat("a").kept.values()) == [Kept.GONE]
    assert fleet.finish("a.0") is Finished.GONE


def test_nothing_is_reaped_in_quarantine(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    fleet.starts("a.0", "b.0")
    fleet.beat("a")
    fleet.bench.advance(LEASE_MS)  # the store was away for everybody
    assert list(fleet.operator.reap(dead=True)) == []
    assert list(fleet.beat("a").kept.values()) == [Kept.KEPT]
    fleet.pass_time(LEASE_MS, "a")
    fleet.operator.reap()
    assert fleet.bench.queue("mail") == ["j2"]


def test_everybody_cut_off_means_quarantine_and_a_short_pause_does_not(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    fleet.beat("a")
    fleet.bench.advance(2 * RENEW_MS)
    assert fleet.start("b.0") == "j2", "no lease lapsed"
    fleet.bench.advance(LEASE_MS)
    assert quarantined(fleet, "c.0")


def test_an_idle_store_left_alone_for_a_day_starts_at_once(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.finish("a.0")
    fleet.bench.advance(86_400_000)
    assert fleet.start("a.0") == "j2"


def test_a_clock_set_back_by_more_than_a_lease_means_quarantine_then_the_new_clock_holds(fleet: Fleet) -> None:
    fleet.policy(total=1, rate_total={"limit": 1, "period_ms": 1_000})
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.beat("a")
    fleet.bench.advance(-3_600_000)
    fleet.beat("a")
    assert quarantined(fleet)
    fleet.finish("a.0")
    fleet.pass_time(LEASE_MS, "a")
    assert fleet.start("b.0") == "j2", "the rate is not frozen for the hour"


HOUR_MS = 3_600_000


def set_back_by_an_hour(fleet: Fleet) -> None:
    fleet.beat("a")
    fleet.bench.advance(-HOUR_MS)
    fleet.beat("a")
    fleet.pass_time(LEASE_MS, "a")


def test_a_dead_pods_places_do_not_last_as_long_as_the_clock_was_set_back(fleet: Fleet) -> None:
    fleet.budget("ns/b", total=1)
    fleet.policy(total=1, per_key=1, budgets=[{"name": "ns/b"}])
    fleet.jobs("j1", "j2", key="acme")
    fleet.start("dead.0")
    fleet.refused("a.0")
    set_back_by_an_hour(fleet)
    fleet.pass_time(2 * LEASE_MS, "a")
    assert fleet.start("a.0") == "j1"


def test_a_shut_key_opens_and_a_sleep_ends_after_the_clock_was_set_back(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("j1", "j2", key="acme")
    fleet.start("dead.0")
    fleet.refused("a.0")
    fleet.start_and_defer("a.0", Deferred("queue", 30_000))
    set_back_by_an_hour(fleet)
    fleet.pass_time(2 * LEASE_MS, "a")
    assert set(fleet.starts("a.0", "a.1")) == {"other", "j1"}


def test_rates_count_as_full_after_a_loss(fleet: Fleet) -> None:
    fleet.policy(rate_total={"limit": 3, "period_ms": 60_000})
    fleet.jobs("j1", "j2")
    fleet.beat("a")
    lose_last_writes(fleet, lambda: fleet.start("a.0"))
    fleet.beat("a")
    noticed = fleet.bench.now
    fleet.pass_time(LEASE_MS, "a")
    refusal = fleet.refused("b.0")
    assert (refusal.blocker, refusal.open_at) == (Blocker.RATE_TOTAL, noticed + 60_000)


def test_fences_after_a_loss_are_above_every_fence_before_it(fleet: Fleet) -> None:
    started_and_forgotten(fleet, total=3)
    before = fleet.running["a.0"].grant.fence
    fleet.beat("a")
    fleet.pass_time(LEASE_MS, "a")
    fleet.start("b.0")
    assert fleet.running["b.0"].grant.fence > before


def test_a_second_caller_who_knew_the_old_epoch_does_not_prolong_the_quarantine(fleet: Fleet) -> None:
    fleet.policy(total=1)
    for pod in ("a", "b"):
        fleet.beat(pod)
    fleet.bench.wipe()
    until = fleet.beat("a").quarantine_until
    fleet.bench.advance(3_000)
    assert fleet.beat("b").quarantine_until == until


def test_a_store_emptied_and_first_seen_by_a_newcomer_is_noticed_by_those_who_knew_it(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.bench.wipe()
    fleet.beat("new")
    assert list(fleet.beat("a").kept.values()) == [Kept.READDED]
    assert fleet.operator.inspect().quarantine_until > fleet.bench.now


def test_a_job_that_started_elsewhere_meanwhile_is_gone_not_readded(fleet: Fleet) -> None:
    """Nobody who knew better came in time: the newcomer's start stands, the old one is refused."""
    started_and_forgotten(fleet)
    answer = fleet.claim("new.0")
    assert isinstance(answer, Grant)
    assert answer.job_id == "j1"
    assert list(fleet.beat("a").kept.values()) == [Kept.GONE]
    assert fleet.live() == 1


def test_of_two_who_claim_the_same_forgotten_job_one_is_gone(fleet: Fleet) -> None:
    """a was away while its job started elsewhere; then everything is forgotten, the job's hash too."""
    fleet.policy(total=2)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.pass_time(LEASE_MS, "b")
    fleet.start("b.0")
    fleet.bench.wipe()
    kept = [*fleet.beat("b").kept.values(), *fleet.beat("a").kept.values()]
    assert kept == [Kept.READDED, Kept.GONE]


def test_who_lost_its_job_does_not_get_it_back_when_everybody_was_cut_off(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.pass_time(LEASE_MS, "b")
    fleet.start("b.0")
    fleet.bench.advance(LEASE_MS)
    assert list(fleet.beat("a").kept.values()) == [Kept.GONE]
    assert list(fleet.beat("b").kept.values()) == [Kept.KEPT]


def test_a_job_that_is_being_buried_is_not_taken_in_again(fleet: Fleet) -> None:
    fleet.policy(total=1, jobs={"on_worker_lost": "Fail"})
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.pass_time(LEASE_MS, "z", queue="other")
    assert len(fleet.operator.reap(dead=True)) == 1
    fleet.bench.advance(-2 * LEASE_MS)
    assert list(fleet.beat("a").kept.values()) == [Kept.GONE]


def test_an_ended_job_that_came_back_queued_is_not_run_by_its_old_holder_again(fleet: Fleet) -> None:
    """finish was lost with the data: the job is queued again in RQ's eyes and runs again, once at a time."""
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.beat("a")

    def run() -> None:
        fleet.start("a.0")
        fleet.finish("a.0")

    lose_last_writes(fleet, run)
    fleet.beat("a")
    fleet.pass_time(LEASE_MS, "a")
    assert fleet.start("a.1") == "j1"
    assert fleet.live() == 1
