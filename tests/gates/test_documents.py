"""Who may declare what, what a policy's switches do, and what is left when it is gone."""

import pytest
from rq import suspension
from rq.job import Job

from headgate.gates.verbs import (
    Deferred,
    Enqueue,
    Exists,
    Full,
    Grant,
    Held,
    NoPolicy,
    Owned,
    Owner,
    Published,
    Queued,
    Same,
    Stale,
    Wait,
)
from headgate.model.documents import BudgetDocument, BudgetShare, OverrideDocument, QueueDocument, RateDocument
from tests.gates.play import Play

ALICE = Owner("ns/alice", "uid-1", 4, "east")


def test_a_newer_generation_wins_an_older_is_stale_the_same_is_the_same(play: Play) -> None:
    publish = play.door.publish
    assert publish(QueueDocument(queue="q", total=1), ALICE) == Published(1)
    assert publish(QueueDocument(queue="q", total=1), ALICE) == Same(1)
    assert publish(QueueDocument(queue="q", total=2), Owner("ns/alice", "uid-1", 3)) == Stale(4)
    assert publish(QueueDocument(queue="q", total=2), ALICE) == Published(2), "same generation, other defaults"
    assert publish(QueueDocument(queue="q", total=2), Owner("ns/alice", "uid-1", 5)) == Same(2)
    assert publish(QueueDocument(queue="q", total=1), ALICE) == Stale(5)
    assert play.door.read_document("q") == (2, QueueDocument(queue="q", total=2))
    declared = play.door.read_declared("q").queue
    assert declared is not None
    assert (declared.owner.uid, declared.owner.generation) == ("uid-1", 5)


def test_delete_and_create_again_with_other_limits_holds(play: Play) -> None:
    """A new object starts again at generation 1: it is accepted when its publisher names the uid that it replaces."""
    publish, again = play.door.publish, Owner("ns/alice", "uid-2", 1)
    publish(QueueDocument(queue="q", total=10), Owner("ns/alice", "uid-1", 12))
    assert publish(QueueDocument(queue="q", total=3), again) == Owned(Owner("ns/alice", "uid-1", 12))
    assert publish(QueueDocument(queue="q", total=3), again, replaces_uid="uid-0") == Owned(
        Owner("ns/alice", "uid-1", 12)
    )
    assert publish(QueueDocument(queue="q", total=3), again, replaces_uid="uid-1") == Published(2)
    assert play.door.unpublish("queue", "q", again)
    assert publish(QueueDocument(queue="q", total=5), Owner("other/bob", "uid-3", 1)) == Published(3)


def test_only_its_owner_removes_a_document(play: Play) -> None:
    play.door.publish(BudgetDocument(name="ns/b", total=1), ALICE)
    assert not play.door.unpublish("budget", "ns/b", Owner("ns/alice", "uid-9", 1))
    assert not play.door.unpublish("budget", "ns/b", Owner("ns/eve", "uid-1", 1))
    assert play.door.unpublish("budget", "ns/b", ALICE)
    assert not play.door.unpublish("budget", "ns/b", ALICE)


def test_no_policy_no_start_and_no_budget_no_start(play: Play) -> None:
    play.enqueue(2)
    assert play.claim("a.0") == NoPolicy()
    play.policy(budgets=(BudgetShare(name="ns/absent"),))
    assert play.claim("a.0") == Wait("budget/ns/absent", None, 0)
    play.budget("ns/absent", total=1)
    assert isinstance(play.claim("a.0"), Grant)


@pytest.mark.parametrize("stop", ["Hold", "HoldAndDrain"])
def test_a_held_queue_starts_nothing_and_finishes_what_runs(play: Play, stop: str) -> None:
    play.policy()
    play.enqueue(2)
    play.claim("a.0")
    play.policy(stop_policy=stop)
    assert play.cycle("a.0")[1] == Held()
    assert play.door.inspect().queues["q"].blocked_by == "stop"
    play.policy()
    assert isinstance(play.claim("a.0"), Grant)


def test_rqs_suspend_holds_every_queue(play: Play) -> None:
    play.policy()
    play.enqueue(3)
    play.claim("a.0")
    suspension.suspend(play.client)
    assert play.claim("a.1") == Held(suspended=True)
    assert play.cycle("a.0")[1] == Held(suspended=True)
    suspension.resume(play.client)
    assert isinstance(play.claim("a.1"), Grant)


def test_an_override_holds_until_it_expires_on_the_stores_clock(play: Play) -> None:
    play.policy(total=5, rate_total=RateDocument(limit=100, period_ms=1000))
    play.enqueue(9)
    play.claim("a.0")
    until = play.door.now + 10_000
    play.policy(total=5, override=OverrideDocument(total=1, reason="3 a.m.", expire_ms=until))
    assert play.claim("a.1") == Wait("concurrency.total", None, 1)
    play.policy(total=5, override=OverrideDocument(stop_policy="Hold", reason="3 a.m.", expire_ms=until))
    assert play.claim("a.1") == Held()
    tight = OverrideDocument(rate_total=RateDocument(limit=1, period_ms=60_000), reason="x", expire_ms=until)
    play.policy(total=5, rate_total=RateDocument(limit=100, period_ms=1000), override=tight)
    assert isinstance(play.claim("a.1"), Wait)
    play.move(9.9)
    assert isinstance(play.claim("a.1"), Wait)
    play.move(0.2)
    assert isinstance(play.claim("a.1"), Grant)


def test_an_override_that_lifts_a_hold(play: Play) -> None:
    play.enqueue(1)
    lifted = OverrideDocument(stop_policy="None", reason="one run", expire_ms=9_999_999_999_999)
    play.policy(stop_policy="Hold", override=lifted)
    assert isinstance(play.claim("a.0"), Grant)


def test_shadow_enforces_nothing_and_counts_what_it_would_have_refused(play: Play) -> None:
    play.budget("ns/b", total=1)
    play.policy(
        mode="Shadow",
        total=1,
        per_key=1,
        rate_total=RateDocument(limit=1, period_ms=60_000),
        budgets=(BudgetShare(name="ns/b"),),
    )
    play.enqueue(3, key="x")
    for i in range(3):
        assert isinstance(play.claim(f"a.{i}"), Grant)
    state = play.door.inspect().queues["q"]
    assert state.shadowed == {
        "concurrency.total": 2,
        "rate.total": 2,
        "budget/ns/b": 2,
        "concurrency.perKey": 2,
    }
    assert state.running == 3
    assert play.finish("a.0") == "ok"
    play.policy(mode="Shadow", total=1, stop_policy="Hold")
    assert play.claim("a.3") == Held(), "to hold is a command, not a limit to try out"


@pytest.mark.parametrize("scope", ["queue", "budget/ns/b", "key"])
def test_a_job_that_says_rate_limited_makes_its_scope_sleep(play: Play, scope: str) -> None:
    play.budget("ns/b", total=9)
    play.policy(budgets=(BudgetShare(name="ns/b"),))
    play.policy("other", budgets=(BudgetShare(name="ns/b"),))
    (job,) = play.enqueue(1)
    play.enqueue(1, queue="other")
    play.claim("a.0")
    assert play.finish("a.0", Deferred(scope, 8_000)) == "ok"
    assert job.get_status() == "queued"
    answer = play.claim("a.0")
    assert isinstance(answer, Wait)
    assert answer.blocker == ("budget/ns/b" if scope.startswith("budget") else "deferred")
    assert answer.open_at is not None
    assert 0 < answer.open_at - play.door.now <= 8_001
    assert isinstance(play.claim("b.0", "other"), Wait if scope.startswith("budget") else Grant)
    play.move(8.1)
    assert isinstance(play.claim("a.0"), Grant)


def test_places_reserved_for_http_are_not_taken_by_jobs(play: Play) -> None:
    play.budget("ns/b", total=3, http_reserved=2)
    play.policy(budgets=(BudgetShare(name="ns/b"),))
    play.enqueue(5)
    assert isinstance(play.claim("a.0"), Grant)
    assert isinstance(play.claim("a.1"), Wait)
    later = play.door.now + 20_000
    for key in ("rq:hg:b:ns/b:held", "rq:hg:b:ns/b:http"):
        play.client.zadd(key, {"h:api:1": later})
    assert isinstance(play.claim("a.1"), Wait), "one of the two reserved places is used, the other is kept"
    play.budget("ns/b", total=3, http_reserved=1)
    assert isinstance(play.claim("a.1"), Grant)
    assert isinstance(play.claim("a.2"), Wait)


def test_enqueue_is_idempotent_and_knows_the_backlog(play: Play) -> None:
    play.policy(backlog=2)
    fields = {name: str(value).encode() for name, value in {"data": "x", "status": "queued", "origin": "q"}.items()}
    enqueue = play.door.enqueue
    assert enqueue(Enqueue("q", "j1", fields, idempotency_key="order-1", ttl=60)) == Queued("j1", 1)
    assert enqueue(Enqueue("q", "j9", fields, idempotency_key="order-1")) == Exists("j1")
    assert enqueue(Enqueue("q", "j1", fields)) == Exists("j1")
    assert enqueue(Enqueue("q", "j2", fields, at_front=True)) == Queued("j2", 2)
    assert enqueue(Enqueue("q", "j3", fields)) == Full(2, 2)
    assert not Job.exists("j3", play.client)
    assert play.client.lrange("rq:queue:q", 0, -1) == [b"j2", b"j1"]
    assert play.client.ttl("rq:job:j1") == 60
    assert 86_000 < play.client.ttl("rq:hg:idem:q:order-1") <= 86_400


def test_inspect_sees_everything(play: Play) -> None:
    play.budget("ns/b", total=4, rate=RateDocument(limit=9, period_ms=60_000))
    play.policy(
        total=3,
        rate_total=RateDocument(limit=2, period_ms=60_000),
        rate_per_worker=RateDocument(limit=7, period_ms=60_000),
        budgets=(BudgetShare(name="ns/b", weight=2),),
    )
    play.enqueue(5)
    play.client.zadd("rq:scheduled:q", {"due": 1, "later": 9_999_999_999})
    play.beat("pod-1")
    play.claim("pod-1.0"), play.claim("pod-1.1")
    play.claim("pod-1.2")
    for worker, fields in {
        "stock": {"birth": "x"},
        "pod-1.0": {"birth": "x", "headgate": "slot"},
        "dead": {"birth": "x", "death": "y"},
    }.items():
        play.client.hset(f"rq:worker:{worker}", mapping=fields)
        play.client.sadd("rq:workers:q", f"rq:worker:{worker}")
    play.client.sadd("rq:workers:q", "rq:worker:expired")
    seen = play.door.inspect()
    state = seen.queues["q"]
    assert (state.queued, state.running, state.due, state.revision) == (3, 2, 1, 2)
    assert state.foreign_workers == ["stock"]
    gates = {gate.name: gate for gate in state.gates}
    assert (gates["concurrency.total"].used, gates["concurrency.total"].limit) == (2, 3)
    assert sorted(name for name, _ in gates["concurrency.total"].holders) == ["execution1", "execution2"]
    assert (gates["rate.total"].used, gates["rate.total"].period_ms, gates["rate.total"].waiting) == (2, 60_000, 1)
    assert gates["rate.per" + "Worker"].used == 2
    assert (state.blocked_by, state.blocked_until) == ("rate.total", gates["rate.total"].open_at)
    places, rate = seen.budgets["ns/b"]
    assert (places.used, places.limit, rate.used, rate.limit) == (4, 4, 4, 9)
    assert [(item.name, item.slots, item.busy, item.revision) for item in state.instances] == [("pod-1", 3, 0, 2)]
    assert seen.owners["queue/q"].uid == "uid-q"
    assert seen.seq == 2


def test_an_unpublished_queue_keeps_running_jobs_and_leaves_nothing_after_them(play: Play) -> None:
    play.budget("ns/b", total=2, rate=RateDocument(limit=9, period_ms=1000))
    play.policy(total=2, rate_total=RateDocument(limit=9, period_ms=1000), budgets=(BudgetShare(name="ns/b"),))
    play.beat("a")
    play.enqueue(4)
    play.claim("a.0"), play.claim("a.1"), play.claim("a.2")
    assert play.door.unpublish("queue", "q", Owner("ns/q", "uid-q", 1))
    assert play.claim("a.2") == NoPolicy()
    assert set(play.beat("a").kept.values()) == {"kept"}
    assert play.cycle("a.0") == ("ok", NoPolicy())
    assert play.door.release(play.holding("a.1"))
    assert play.door.unpublish("budget", "ns/b", Owner("ns/b", "uid-ns/b", 1))
    play.beat("a", slots=0)
    assert {key for key in play.own_keys() if ":slot:" not in key} == set()
    assert all(play.client.ttl(key) > 0 for key in play.own_keys()), "answers kept for lost replies expire"


def test_a_dead_workers_job_on_an_unpublished_queue_is_put_back_and_the_keys_go(play: Play) -> None:
    play.policy(total=2)
    play.policy("other")
    play.enqueue(1)
    play.claim("dead.0")
    play.door.unpublish("queue", "q", Owner("ns/q", "uid-q", 1))
    play.live(21, "b", queue="other")
    (lost,) = play.door.reap()
    assert (lost.queue, lost.fate) == ("q", "requeued")
    assert play.client.llen("rq:queue:q") == 1
    assert not [key for key in play.own_keys() if ":q:q:" in key or key.endswith("draining")]


def test_a_budget_that_is_gone_stays_gone_while_its_jobs_run_on(play: Play) -> None:
    play.budget("ns/b", total=2)
    play.policy(budgets=(BudgetShare(name="ns/b"),))
    play.enqueue(1)
    play.beat("a"), play.claim("a.0")
    assert play.door.unpublish("budget", "ns/b", Owner("ns/b", "uid-ns/b", 1))
    assert set(play.beat("a").kept.values()) == {"kept"}
    assert play.door.seal(play.holding("a.0"))
    assert not [key for key in play.own_keys() if ":b:ns/b" in key]
    assert play.finish("a.0") == "ok"
