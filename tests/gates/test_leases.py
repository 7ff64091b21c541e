"""Leases: renewed they hold, lapsed they are put back, and a stale holder can change nothing."""

import pytest
from rq import Queue
from rq.executions import Execution
from rq.job import Job
from rq.registry import StartedJobRegistry

from headgate.gates.verbs import Fate, Finished, Grant, Kept, Lost, Wait
from headgate.model.documents import BudgetShare, JobRules, RateDocument
from tests.gates.play import Play


def lapse(play: Play, *alive: str) -> None:
    """Let 21 s go by in which only `alive` renew, so that the store itself was never cut off."""
    for _ in range(3):
        play.move(7)
        for instance in alive:
            play.beat(instance)


def test_a_dead_workers_job_goes_to_the_front_with_its_loss_counted(play: Play) -> None:
    play.budget("ns/mail", total=1)
    play.policy(total=1, budgets=(BudgetShare(name="ns/mail"),))
    first, second = play.enqueue(2)
    play.claim("dead.0")
    play.beat("b")
    for _ in range(2):
        play.move(7), play.beat("b")
    assert isinstance(play.claim("b.0"), Wait)
    play.move(7)
    renewal = play.beat("b")
    assert [(lost.job_id, lost.fate, lost.losses) for lost in renewal.reaped] == [(first.id, Fate.REQUEUED, 1)]
    assert renewal.wake
    assert Queue("q", connection=play.client).job_ids == [first.id, second.id]
    assert first.get_status() == "queued"
    assert play.client.hmget(first.key, "started_at", "worker_name", "headgate_losses") == [b"", b"", b"1"]
    assert play.client.zcard("rq:hg:b:ns/mail:held") == 0
    assert not [key for key in play.client.keys("*") if b"execution" in key], "RQ's records of the dead worker are gone"
    answer = play.claim("b.0")
    assert isinstance(answer, Grant)
    assert answer.job_id == first.id


def test_a_stale_holder_is_refused_everything(play: Play) -> None:
    play.policy(total=1)
    (job,) = play.enqueue(1)
    play.beat("a"), play.claim("a.0")
    stale, holding = play.finish_of("a.0"), play.holding("a.0")
    lapse(play, "b")
    assert isinstance(play.claim("b.0"), Grant)
    assert play.beat("a").kept == {"execution1": Kept.GONE}
    assert play.door.finish(stale) is Finished.GONE
    assert play.door.seal(holding) is False
    assert play.door.release(holding) is False
    assert job.get_status() == "started"
    assert play.finish("b.0") is Finished.OK
    assert len(job.results()) == 1
    assert play.door.finish(stale) is Finished.GONE


def test_a_lease_that_lapsed_but_was_not_reaped_goes_on_when_there_is_room(play: Play) -> None:
    play.policy(total=1)
    play.policy("other")
    play.enqueue(1)
    play.beat("a"), play.claim("a.0")
    for _ in range(3):
        play.move(7), play.beat("b", queue="other")
    assert play.beat("a").kept == {"execution1": Kept.KEPT}
    assert play.finish("a.0") is Finished.OK


def test_a_lapsed_lease_whose_place_was_taken_is_gone(play: Play) -> None:
    play.policy(total=1)
    play.policy("other")
    play.enqueue(2)
    play.beat("a"), play.claim("a.0")
    for _ in range(3):
        play.move(7), play.beat("b", queue="other")
    assert isinstance(play.claim("c.0"), Grant)
    assert play.beat("a").kept == {"execution1": Kept.GONE}


def test_seal_outlasts_the_lease_and_release_frees(play: Play) -> None:
    play.policy(total=1)
    (job,) = play.enqueue(1)
    play.enqueue(1)
    play.beat("a"), play.claim("a.0")
    assert play.door.seal(play.holding("a.0"))
    lapse(play, "b"), lapse(play, "b")
    assert isinstance(play.claim("b.0"), Wait)
    job.set_status("failed")
    assert play.door.release(play.holding("a.0"))
    assert not play.door.release(play.holding("a.0"))
    assert isinstance(play.claim("b.0"), Grant)


def test_a_sealed_execution_whose_worker_dies_after_rqs_code_ran_only_frees_its_place(play: Play) -> None:
    play.policy(total=1)
    (job,) = play.enqueue(1)
    play.beat("a"), play.claim("a.0")
    play.door.seal(play.holding("a.0"))
    job.set_status("failed")
    for _ in range(3):
        lapse(play, "b")
    assert play.client.zcard("rq:hg:q:q:held") == 0
    assert job.get_status() == "failed"
    assert play.client.llen("rq:queue:q") == 0


def test_a_poison_job_goes_to_whoever_can_bury_it_and_not_back(play: Play) -> None:
    play.policy(total=2, jobs=JobRules(max_losses=2))
    (job,) = play.enqueue(1)
    play.beat("a")
    for losses in (1, 2):
        play.claim("a.0")
        assert play.finish("a.0", Lost()) is Finished.OK
        assert play.client.hget(job.key, "headgate_losses") == str(losses).encode()
    play.claim("a.0")
    again = play.finish_of("a.0", Lost())
    holding = play.holding("a.0")
    assert play.finish("a.0", Lost()) is Finished.POISON
    assert play.door.finish(again) is Finished.POISON, "the reply was lost: the same answer"
    assert job.get_status() == "started"
    assert play.client.llen("rq:queue:q") == 0
    assert play.door.release(holding) is False, "the dead slot's own name opens nothing"
    counts = [play.door.inspect().queues["q"]]
    play.client.zadd("rq:failed:q", {job.id: 1})  # as RQ's failure code does
    counts.append(play.door.inspect().queues["q"])
    job.requeue()
    counts.append(play.door.inspect().queues["q"])
    assert [(queue.poison, queue.poisoned) for queue in counts] == [(0, 1), (1, 1), (0, 1)]


@pytest.mark.parametrize("buried", ["yes", "but not released", "no"])
def test_a_reaped_poison_job_is_handed_out_again_only_if_its_undertaker_dies(play: Play, buried: str) -> None:
    play.policy(jobs=JobRules(max_losses=1))
    (job,) = play.enqueue(1)
    play.claim("a.0"), play.finish("a.0", Lost())
    play.claim("dead.0")
    stale = play.finish_of("dead.0")
    play.beat("b")
    for _ in range(2):
        play.move(7), play.beat("b")
    play.move(7)
    (poison,) = play.beat("b").reaped
    assert (poison.fate, poison.job_id, poison.losses) == (Fate.POISON, job.id, 2)
    assert play.door.finish(stale) is Finished.GONE
    assert play.door.reap(dead=True) == ()
    if buried != "no":
        job.set_status("failed")
    if buried == "yes":
        assert play.door.release(poison.holding)
    found = []
    for _ in range(9):
        play.move(7)
        found += play.beat("b").reaped
    assert [(item.fate, item.losses) for item in found] == ([(Fate.POISON, 2)] if buried == "no" else [])
    assert play.client.zcard("rq:hg:q:q:held") == (1 if buried == "no" else 0)


def test_on_worker_lost_fail_leaves_the_job_to_rqs_own_code(play: Play) -> None:
    play.policy(jobs=JobRules(on_worker_lost="Fail"))
    (job,) = play.enqueue(1)
    play.claim("dead.0")
    play.beat("b")
    play.move(7), play.beat("b", slots=1), play.move(7), play.beat("b")
    play.move(7)
    assert play.door.reap() == (), "a caller without RQ's code takes no job that must fail"
    (lost,) = play.door.reap(dead=True)
    assert (lost.fate, lost.job_id) == (Fate.FAILED, job.id)
    execution = Execution(lost.execution, lost.job_id, play.client)
    with play.client.pipeline() as pipeline:
        execution.delete(job=job, pipeline=pipeline)
        pipeline.execute()
    job.refresh()
    job.failed_job_registry.add(job, ttl=60, exc_string="lost")
    job.set_status("failed")
    assert play.door.release(lost.holding)
    assert play.own_keys() & {"rq:hg:q:q:held"} == set()


def test_a_canceled_job_of_a_dead_worker_is_not_put_back(play: Play) -> None:
    play.policy(total=1)
    (job,) = play.enqueue(1)
    play.claim("dead.0")
    job.cancel()
    play.beat("b")
    lapse(play, "b")
    assert job.get_status() == "canceled"
    assert play.client.llen("rq:queue:q") == 0
    assert play.client.zcard("rq:hg:q:q:held") == 0


def test_a_job_deleted_while_it_runs_leaves_nothing_behind(play: Play) -> None:
    play.policy(total=1, rate_total=RateDocument(limit=9, period_ms=1000))
    (job,) = play.enqueue(1)
    play.claim("a.0")
    Job.fetch(job.id, play.client).delete()
    play.beat("a")
    assert play.finish("a.0") is Finished.OK
    assert not Job.exists(job.id, play.client)
    assert not [key for key in play.client.keys("*") if job.id.encode() in key]
    assert StartedJobRegistry("q", play.client).count == 0


def test_a_pod_that_says_goodbye_is_gone_at_once(play: Play) -> None:
    play.policy(total=1, rate_per_worker=RateDocument(limit=9, period_ms=1000))
    play.enqueue(1)
    play.beat("a"), play.claim("a.0"), play.finish("a.0")
    assert [instance.name for instance in play.door.inspect().queues["q"].instances] == ["a"]
    play.beat("a", slots=0)
    assert play.door.inspect().queues["q"].instances == []
    assert not [key for key in play.own_keys() if ":inst:" in key or ":w:" in key]
