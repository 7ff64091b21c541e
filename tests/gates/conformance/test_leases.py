"""Leases and fences: who renews keeps its place; who does not loses it, and can harm nothing when it comes back."""

import pytest

from headgate.gates.verbs import (
    LEASE_MS,
    SEAL_MS,
    Fate,
    Finished,
    Grant,
    Kept,
    Lost,
    Returned,
)  # fmt: skip
from tests.gates.conformance.fleet import DONE, Fleet


def test_a_renewed_lease_lasts_as_long_as_it_is_renewed(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.pass_time(3 * LEASE_MS, "a")
    assert fleet.refused("b.0").holders == 1
    assert fleet.finish("a.0") is Finished.OK


def test_a_dead_pods_job_goes_to_the_front_with_its_loss_counted(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.kill("a")
    fleet.pass_time(LEASE_MS - 1, "b")
    assert list(fleet.operator.reap()) == []
    fleet.bench.advance(1)
    reaped = list(fleet.operator.reap())
    assert [(one.job_id, one.fate, one.losses) for one in reaped] == [("j1", Fate.REQUEUED, 1)]
    assert fleet.bench.queue("mail") == ["j1", "j2"]
    assert fleet.live() == 0
    assert fleet.start("b.0") == "j1"


def test_anothers_renewal_reaps_too(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.kill("a")
    fleet.pass_time(LEASE_MS, "b")
    assert fleet.bench.queue("mail") == ["j1"]
    assert fleet.bench.started("mail") == set()


def test_who_lost_its_lease_is_refused_everything(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    stale = fleet.running["a.0"]
    fleet.pass_time(LEASE_MS, "b")
    assert fleet.start("b.0") == "j1"
    door = fleet.door("a.0")
    assert fleet.beat("a").kept == {stale.grant.execution: Kept.GONE}
    assert door.finish(stale.end()) is Finished.GONE
    assert door.finish(stale.end(Returned())) is Finished.GONE
    assert door.finish(stale.end(Lost())) is Finished.GONE
    assert door.seal(stale.holding) is False
    assert door.release(stale.holding) is False
    assert door.finish_claim(stale.end(), fleet.ask("a.0"))[0] is Finished.GONE
    assert fleet.statuses(["j1"]) == {"j1": "started"}
    assert fleet.live() == 1
    assert fleet.finish("b.0") is Finished.OK


def test_a_lapsed_lease_that_nobody_took_may_go_on(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.pass_time(LEASE_MS, "z", queue="other")
    assert fleet.live() == 0
    assert list(fleet.beat("a").kept.values()) == [Kept.KEPT]
    assert fleet.live() == 1


def test_a_lapsed_lease_whose_place_was_taken_is_gone(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.pass_time(LEASE_MS, "z", queue="other")
    assert fleet.start("b.0") == "j2"
    assert list(fleet.beat("a").kept.values()) == [Kept.GONE]
    assert fleet.live() == 1


@pytest.mark.parametrize("outcome", [Lost(), Returned()])
def test_a_crashed_slots_job_starts_again_at_once(fleet: Fleet, outcome: Lost | Returned) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    assert fleet.finish("a.0", outcome) is Finished.OK
    job = fleet.bench.job("j1")
    assert job is not None
    assert job.losses == isinstance(outcome, Lost)
    assert fleet.start("a.1") == "j1"


def test_a_job_lost_too_often_is_poison_and_not_put_back(fleet: Fleet) -> None:
    fleet.policy(total=1, jobs={"max_losses": 2})
    fleet.jobs("j1")
    for _ in range(2):
        fleet.start("a.0")
        assert fleet.finish("a.0", Lost()) is Finished.OK
    fleet.start("a.0")
    holding = fleet.running["a.0"].holding
    assert fleet.finish("a.0", Lost()) is Finished.POISON
    assert fleet.bench.queue("mail") == []
    assert fleet.live() == 1, "its place is kept while RQ's failure code runs"
    fleet.bench.fail("j1")
    mark = type(holding)(holding.queue, "", holding.job_id, holding.execution, 0, ())
    assert fleet.door("a.0").release(mark) is True
    assert fleet.live() == 0
    queue = fleet.operator.inspect().queues["mail"]
    assert (queue.poison, queue.poisoned) == (1, 1)


def test_reaping_too_often_is_poison_and_only_for_those_who_can_bury(fleet: Fleet) -> None:
    fleet.policy(total=1, jobs={"max_losses": 1})
    fleet.jobs("j1")
    for _ in range(2):
        fleet.start("a.0")
        fleet.kill("a")
        fleet.pass_time(LEASE_MS, "z", queue="other")
        fleet.operator.reap()
    assert len(fleet.operator.reap()) == 0
    reaped = list(fleet.operator.reap(dead=True))
    assert [(one.job_id, one.fate, one.losses) for one in reaped] == [("j1", Fate.POISON, 2)]
    assert fleet.statuses(["j1"]) == {"j1": "started"}
    fleet.bench.fail("j1")
    assert fleet.operator.release(reaped[0].holding) is True
    assert fleet.bench.holders("mail") == {}


def test_who_dies_while_burying_leaves_it_to_the_next(fleet: Fleet) -> None:
    fleet.policy(total=1, jobs={"on_worker_lost": "Fail"})
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.kill("a")
    fleet.pass_time(LEASE_MS, "z", queue="other")
    first = list(fleet.operator.reap(dead=True))
    assert [(one.fate, one.losses) for one in first] == [(Fate.FAILED, 1)]
    assert list(fleet.operator.reap(dead=True)) == []
    fleet.pass_time(SEAL_MS, "z", queue="other")
    second = list(fleet.operator.reap(dead=True))
    assert [(one.fate, one.losses) for one in second] == [(Fate.FAILED, 1)]
    fleet.bench.fail("j1")
    assert fleet.operator.release(second[0].holding) is True
    assert fleet.bench.holders("mail") == {}


def test_a_sealed_execution_outlives_its_lease_until_it_is_released(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    holding = fleet.running["a.0"].holding
    assert fleet.door("a.0").seal(holding) is True
    assert fleet.door("a.0").seal(holding) is True
    fleet.kill("a")
    fleet.pass_time(SEAL_MS - 1_000, "b")
    assert fleet.refused("b.0").holders == 1
    assert fleet.door("a.0").release(holding) is True
    assert fleet.door("a.0").release(holding) is False
    assert fleet.start("b.0") == "j2"


def test_a_renewal_never_shortens_a_seal(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1")
    fleet.start("a.0")
    fleet.door("a.0").seal(fleet.running["a.0"].holding)
    sealed = fleet.bench.holders("mail")
    fleet.beat("a")
    assert fleet.bench.holders("mail") == sealed


def test_a_job_with_dependents_takes_the_slow_path_and_keeps_its_place(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    running = fleet.running["a.0"]
    fleet.bench.depend("j1", "child")
    assert fleet.door("a.0").finish(running.end()) is Finished.SLOW
    finished, answer = fleet.door("a.0").finish_claim(running.end(DONE), fleet.ask("a.0"))
    assert finished is Finished.SLOW
    assert not isinstance(answer, Grant)
    assert fleet.statuses(["j1"]) == {"j1": "started"}
    assert fleet.live() == 1


def test_a_pod_that_says_goodbye_is_gone_at_once(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.beat("a", slots=2)
    assert [(i.name, i.slots, i.busy) for i in fleet.operator.inspect().queues["mail"].instances] == [("a", 2, 0)]
    fleet.beat("a", slots=0)
    assert list(fleet.operator.inspect().queues["mail"].instances) == []


def test_a_renewal_says_when_there_is_room_and_work(fleet: Fleet) -> None:
    fleet.policy(total=1)
    assert fleet.beat("a", slots=1).wake is False
    fleet.jobs("j1", "j2")
    assert fleet.beat("a", slots=1).wake is True
    fleet.start("b.0")
    assert fleet.beat("a", slots=1).wake is False
    fleet.finish("b.0")
    fleet.start("a.0")
    assert fleet.beat("a", slots=1).wake is False, "it has no idle slot"


def test_a_renewal_names_slots_that_rq_has_forgotten(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.bench.register("a.0")
    assert fleet.beat("a", slots=2).unregistered == ("a.1",)
