"""Every script call of a job's life, hurt once in every way: request lost, reply lost, sent twice, worker killed before
or after it. The end is always the same: each job done once (or again after a kill), nothing lost, nothing leaked."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from rq.executions import Execution
from rq.job import Job, JobStatus

from headgate.errors import StoreUnavailable
from headgate.gates.verbs import Finished, Grant, Holding, Kept, Lost, Returned
from headgate.model.documents import BudgetShare, RateDocument
from tests.gates.moving_clock import moving_verbs
from tests.gates.play import Play
from tests.gates.proxy import Harm, Proxy
from tests.stores import StoreServer

JOBS = 3
CALLS = 16
"""Script calls in `life` after the policy is there."""


@pytest.fixture
def direct(store_server: StoreServer) -> Iterator[Play]:
    fleet = Play(store_server.url)
    yield fleet
    fleet.close()


def prepare(play: Play) -> list[Job]:
    for script in moving_verbs().values():
        play.client.script_load(script.text)
    rate = RateDocument(limit=50, period_ms=60_000)
    play.budget("ns/b", total=5, rate=rate)
    play.policy(
        total=2, per_key=2, rate_total=rate, rate_per_worker=rate, budgets=(BudgetShare(name="ns/b", weight=2),)
    )
    return play.enqueue(JOBS, key="x")


def rqs_own_code(play: Play, holding: Holding) -> None:
    """As far as it matters here: the status, and its records of the execution."""
    job = Job.fetch(holding.job_id, play.client)
    with play.client.pipeline() as pipeline:
        job.set_status(JobStatus.FINISHED, pipeline=pipeline)
        Execution(holding.execution, job.id, play.client, holding.slot).delete(job, pipeline)
        pipeline.execute()


def life(play: Play) -> None:
    """Claim, renew, hand back, lose, seal, release, finish and claim on, until nothing is queued."""
    play.beat("a", slots=2)
    assert isinstance(play.claim("a.0"), Grant)
    assert isinstance(play.claim("a.1"), Grant)
    assert set(play.beat("a", slots=2).kept.values()) == {Kept.KEPT}
    assert play.finish("a.0", Returned()) is Finished.OK
    assert isinstance(play.claim("a.0"), Grant)
    assert play.finish("a.0", Lost()) is Finished.OK
    assert isinstance(play.claim("a.0"), Grant)
    holding = play.holding("a.1")
    assert play.door.seal(holding)
    rqs_own_code(play, holding)
    play.door.release(holding)
    del play.running["a.1"]
    finished, answer = play.cycle("a.0")
    assert finished is Finished.OK
    assert isinstance(answer, Grant)
    assert play.cycle("a.0")[0] is Finished.OK
    play.beat("a", slots=2)
    play.door.reap()
    play.enqueue(1, key="y")
    assert isinstance(play.claim("a.0"), Grant)
    assert play.finish("a.0") is Finished.OK


def settled(play: Play, jobs: list[Job]) -> None:
    """Nothing held, nothing queued, every job finished, started as often as it was granted."""
    assert [job.get_status() for job in jobs] == ["finished"] * JOBS
    assert play.client.llen("rq:queue:q") == 0
    for held in ("rq:hg:q:q:held", "rq:hg:b:ns/b:held", "rq:hg:q:q:key:held:x", "rq:hg:q:q:keys", "rq:wip:q"):
        assert not play.client.exists(held), held
    assert not [key for key in play.client.keys("*") if b":execution" in key]


def test_the_undisturbed_life(direct: Play) -> None:
    proxy = Proxy(direct.url)
    play = Play(proxy.url)
    jobs = prepare(direct)
    life(play)
    settled(direct, jobs)
    assert proxy.calls == CALLS
    assert direct.client.llen("rq:hg:q:q:starts") == 6, "each start is counted once"
    play.close(), proxy.close()


@pytest.mark.parametrize("harm", ["request lost", "reply lost", "sent twice"])
def test_each_call_hurt_once(direct: Play, harm: Harm) -> None:
    for number in range(CALLS):
        direct.afresh()
        jobs = prepare(direct)
        proxy = Proxy(direct.url, {number: harm})
        play = Play(proxy.url)
        life(play)
        settled(direct, jobs)
        assert direct.client.llen("rq:hg:q:q:starts") == 6, number
        assert [len(job.results()) for job in jobs].count(1) == 2, number
        play.close(), proxy.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_at_each_call(direct: Play, when: str) -> None:
    """Nobody sends the call again; another pod takes over once the lease lapsed."""
    for number in range(CALLS):
        direct.afresh()
        direct.running.clear()
        jobs = prepare(direct)
        proxy = Proxy(
            direct.url, dict.fromkeys(range(number, number + 99), "request lost" if when == "before" else "reply lost")
        )
        if when == "after":
            proxy.harms = {number: "reply lost", **dict.fromkeys(range(number + 1, number + 99), "request lost")}
        doomed = Play(proxy.url)
        with pytest.raises(StoreUnavailable):
            life(doomed)
        doomed.close(), proxy.close()
        _take_over(direct)
        jobs = [job for job in jobs if Job.exists(job.id, direct.client)]
        settled(direct, jobs)


def _take_over(play: Play) -> None:
    play.beat("b")
    for _ in range(14):  # 70 s: leases, seals and reaper's marks lapse
        play.live(5, "b")
    while isinstance(answer := play.claim("b.0"), Grant):
        assert play.finish("b.0") is Finished.OK, answer
    for job_id in {key.split(b":")[2] for key in play.client.keys("rq:job:*")}:
        Job.fetch(job_id.decode(), play.client)


def test_a_reply_that_comes_too_late_answers_nothing_else(direct: Play) -> None:
    """The first try's reply is lost with its connection, so the second try can only read its own."""
    jobs = prepare(direct)
    proxy = Proxy(direct.url, {1: "reply lost"})
    play = Play(proxy.url)
    play.beat("a")
    first = play.claim("a.0")
    assert isinstance(first, Grant)
    second = play.claim("a.1")
    assert isinstance(second, Grant)
    assert [first.job_id, second.job_id] == [job.id for job in jobs[:2]]
    play.close(), proxy.close()


@pytest.mark.parametrize("verb", ["claim", "finish_claim"])
def test_a_grant_is_given_again_only_while_it_is_held(direct: Play, verb: str) -> None:
    play, jobs = direct, prepare(direct)
    play.beat("a")
    asked: Callable[[], object]
    if verb == "claim":
        claim = play.claim_of("a.0")
        asked = lambda: play.door.claim(claim)  # noqa: E731
    else:
        play.claim("a.0")
        claim, finish = play.claim_of("a.0"), play.finish_of("a.0")
        asked = lambda: play.door.finish_claim(finish, claim)[1]  # noqa: E731
    first, second = asked(), asked()
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    assert replace(first, job={}, more=True) == replace(second, job={}, more=True)
    other = play.door.claim(play.claim_of("a.1"))
    assert isinstance(other, Grant)
    assert other.job_id != first.job_id
    assert len(jobs) == JOBS


def test_scripts_are_loaded_again_when_the_store_forgot_them(direct: Play) -> None:
    prepare(direct)
    direct.beat("a")
    direct.client.script_flush()
    assert isinstance(direct.claim("a.0"), Grant)
    direct.client.script_flush()
    assert direct.finish("a.0") is Finished.OK
    assert set(moving_verbs()) >= {"claim", "finish"}
