"""concurrency.total: at most so many of a queue's jobs run at once, wherever they run."""

import pytest

from headgate.gates.verbs import Blocker, Empty, Finished, Grant, NoPolicy, Returned
from tests.gates.conformance.fleet import Fleet


def test_a_queue_without_a_policy_starts_nothing(fleet: Fleet) -> None:
    fleet.jobs("j1")
    assert fleet.claim("a.0") == NoPolicy()
    assert fleet.bench.queue("mail") == ["j1"]


def test_an_empty_queue_says_so(fleet: Fleet) -> None:
    fleet.policy(total=1)
    assert fleet.claim("a.0") == Empty(0)


def test_jobs_start_in_queue_order_and_look_started_to_rq(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2", "j3")
    assert fleet.starts("a.0", "b.0") == ["j1", "j2"]
    assert fleet.statuses(["j1", "j2", "j3"]) == {"j1": "started", "j2": "started", "j3": "queued"}
    assert fleet.bench.started("mail") == {"j1", "j2"}
    assert fleet.bench.queue("mail") == ["j3"]


def test_never_more_than_total_and_the_refusal_names_the_gate_and_its_holders(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2", "j3")
    fleet.starts("a.0", "b.0")
    refusal = fleet.refused("c.0")
    assert (refusal.blocker, refusal.open_at, refusal.holders) == (Blocker.CONCURRENCY_TOTAL, None, 2)
    assert fleet.bench.queue("mail") == ["j3"]


def test_a_finished_job_makes_room_and_is_finished_to_rq(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    assert fleet.finish("a.0") is Finished.OK
    assert fleet.bench.finished("mail") == {"j1"}
    assert fleet.bench.started("mail") == set()
    assert fleet.start("b.0") == "j2"


def test_finish_claim_ends_one_and_starts_the_next_in_its_place(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    finished, answer = fleet.finish_claim("a.0")
    assert finished is Finished.OK
    assert isinstance(answer, Grant)
    assert answer.job_id == "j2"
    assert fleet.live() == 1
    assert fleet.finish_claim("a.0") == (Finished.OK, Empty(0))
    assert fleet.live() == 0


def test_a_lowered_total_kills_nothing_and_starts_nothing_until_it_fits(fleet: Fleet) -> None:
    fleet.policy(total=3)
    fleet.jobs("j1", "j2", "j3", "j4", "j5")
    fleet.starts("a.0", "a.1", "a.2")
    fleet.policy(total=1)
    assert fleet.live() == 3
    for slot in ("a.0", "a.1"):
        _, answer = fleet.finish_claim(slot)
        assert not isinstance(answer, Grant)
    _, answer = fleet.finish_claim("a.2")
    assert isinstance(answer, Grant)


def test_a_raised_total_is_used_at_once(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    fleet.refused("b.0")
    fleet.policy(total=2)
    assert fleet.start("b.0") == "j2"
    fleet.refused("c.0")


def test_fences_grow_with_every_grant(fleet: Fleet) -> None:
    fleet.policy()
    fleet.jobs("j1", "j2", "j3")
    fences = []
    for slot in ("a.0", "b.0", "a.1"):
        fleet.start(slot)
        fences.append(fleet.running[slot].grant.fence)
    assert fences == sorted(set(fences))


def test_a_job_handed_back_is_the_next_one_with_no_loss_counted(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    assert fleet.finish("a.0", Returned()) is Finished.OK
    assert fleet.bench.queue("mail") == ["j1", "j2"]
    job = fleet.bench.job("j1")
    assert job is not None
    assert (job.status, job.losses, job.executions) == ("queued", 0, frozenset())
    assert fleet.start("b.0") == "j1"


@pytest.mark.parametrize("lists", [True, False], ids=["status only", "removed from the list"])
def test_canceled_jobs_are_passed_over(fleet: Fleet, lists: bool) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    (fleet.bench.mark_canceled if lists else fleet.bench.cancel)("j1")
    assert fleet.start("a.0") == "j2"
    assert fleet.statuses(["j1"]) == {"j1": "canceled"}


def test_a_job_without_data_is_dropped_on_the_way(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.bench.enqueue("mail", "bad", data=False)
    fleet.jobs("j1")
    assert fleet.start("a.0") == "j1"


def test_a_job_canceled_while_it_runs_is_not_put_back(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.bench.mark_canceled("j1")
    fleet.finish("a.0", Returned())
    assert fleet.bench.queue("mail") == []
    assert fleet.statuses(["j1"]) == {"j1": "canceled"}
    assert fleet.live() == 0
