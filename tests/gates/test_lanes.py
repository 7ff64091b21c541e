"""perKey: a full key holds back nobody else, and RQ's list stays the truth about what is queued."""

import pytest
from rq import Queue
from rq.job import Job

from headgate.gates.verbs import Deferred, Empty, Fate, Grant, KeysWanted, Returned, Wait
from headgate.model.documents import BudgetShare
from headgate_worker.lane_keys import merged
from tests.gates.play import Play


def next_of(play: Play, slot: str, calls: int = 500) -> Grant | Wait | Empty | KeysWanted:
    """Claim, again at once while the queue is still being looked through."""
    for _ in range(calls):
        answer = play.claim(slot)
        if not (isinstance(answer, KeysWanted) and not answer.job_ids):
            assert isinstance(answer, Grant | Wait | Empty | KeysWanted)
            return answer
    raise AssertionError(f"still looking after {calls} calls")


def job_of(answer: object) -> str:
    assert isinstance(answer, Grant), answer
    return answer.job_id


def test_turns_go_round_the_keys_and_jobs_keep_their_order_in_each(play: Play) -> None:
    play.policy(per_key=5)
    x = play.enqueue(3, key="x")
    y = play.enqueue(2, key="y")
    free = play.enqueue(2)
    got = [job_of(next_of(play, f"a.{i}")) for i in range(7)]
    assert got == [job.id for job in (x[0], y[0], free[0], x[1], y[1], free[1], x[2])]
    assert play.claim("a.9") == Empty(0)


def test_a_full_key_waits_and_the_others_go_on(play: Play) -> None:
    play.policy(total=10, per_key=1)
    play.enqueue(100, key="x")
    y = play.enqueue(2, key="y")
    assert next_of(play, "a.0").places == ("kx",)  # type: ignore[union-attr]
    assert job_of(next_of(play, "a.1")) == y[0].id
    assert next_of(play, "a.2") == Wait("concurrency.perKey", None, 2)
    assert job_of(play.cycle("a.1")[1]) == y[1].id
    assert play.claim("a.2") == Wait("concurrency.perKey", None, 2)
    assert play.cycle("a.0")[1].places == ("kx",)  # type: ignore[union-attr]
    state = play.door.inspect().queues["q"]
    assert state.blocked_by == "concurrency.perKey"
    assert state.queued == 98


def test_behind_many_blocked_jobs_the_other_tenant_is_found(play: Play) -> None:
    play.policy(per_key=2)
    play.enqueue(1_000, key="big")
    small = play.enqueue(50, key="small")
    for slot in ("a.0", "a.1"):
        next_of(play, slot)
    got = [job_of(next_of(play, "a.2"))]
    got += [job_of(play.cycle("a.2")[1]) for _ in range(49)]
    assert got == [job.id for job in small]
    assert play.client.llen("rq:queue:q") == 998


def test_keys_in_meta_are_read_by_the_store(play: Play) -> None:
    play.policy(per_key=1, key_field="tenant")
    jobs = play.enqueue(2, meta={"tenant": "m", "tags": ["a"]}) + play.enqueue(1, meta={"tenant": 7})
    none = play.enqueue(1, meta={"headgate_key": "m"})
    first, second, third = (next_of(play, f"a.{i}") for i in range(3))
    assert [job_of(answer) for answer in (first, second, third)] == [jobs[0].id, jobs[2].id, none[0].id]
    assert [answer.places for answer in (first, second, third)] == [("km",), ("k7",), ()]  # type: ignore[union-attr]
    assert isinstance(play.claim("a.3"), Wait)


def test_keys_that_the_store_cannot_read_are_asked_for_once(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(3, meta={"headgate_key": "m", "tags": {"a"}}) + play.enqueue(1)
    wanted = play.claim("a.0")
    assert wanted == KeysWanted(tuple(job.id for job in jobs[:3]))
    keys = dict.fromkeys(wanted.job_ids, "m")
    answer = play.door.claim(play.claim_of("a.0", lane_keys=keys))
    assert isinstance(answer, Grant)
    assert answer.places == ("km",)
    assert job_of(play.claim("a.1")) == jobs[3].id
    assert isinstance(play.claim("a.2"), Wait)


def test_many_unreadable_keys_are_asked_for_a_window_at_a_time(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(600, meta={"headgate_key": "m", "tags": {"a"}}) + play.enqueue(1, key="y")
    keys: dict[str, str | None] = {}
    asked, calls = 0, 0
    started: list[str] = []
    while len(started) < 2:
        calls += 1
        answer = play.door.claim(play.claim_of(f"a.{len(started)}", lane_keys=keys))
        read = dict.fromkeys(answer.job_ids, "m") if isinstance(answer, KeysWanted) else {}
        asked += len(read)
        keys = merged(keys, read)
        assert len(keys) <= 512
        if isinstance(answer, Grant):
            started.append(answer.job_id)
    assert started == [jobs[0].id, jobs[600].id]
    assert asked == 600
    assert calls <= 12


def test_jobs_whose_meta_has_no_key_are_free_and_counted(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(2, meta={"other": 1})
    for i in range(2):
        answer = play.door.claim(play.claim_of(f"a.{i}", lane_keys={job.id: None for job in jobs}))
        assert isinstance(answer, Grant)
        assert answer.places == ()
    assert play.door.inspect().queues["q"].keyless == 2


def test_cancel_empty_and_at_front_are_seen(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(5, key="x")
    assert job_of(next_of(play, "a.0")) == jobs[0].id
    assert isinstance(next_of(play, "a.1"), Wait)
    jobs[1].cancel()
    urgent = Queue("q", connection=play.client).create_job(print, ("now",))
    play.client.hset(urgent.key, "headgate_key", "x")
    Queue("q", connection=play.client).enqueue_job(urgent, at_front=True)
    assert job_of(play.cycle("a.0")[1]) == urgent.id
    assert job_of(play.cycle("a.0")[1]) == jobs[2].id
    Queue("q", connection=play.client).empty()
    assert play.cycle("a.0")[1] == Empty(0)
    late = play.enqueue(1, key="x")
    assert job_of(next_of(play, "a.0")) == late[0].id


def test_what_is_handed_back_is_the_next_of_its_key(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(3, key="x")
    assert job_of(next_of(play, "a.0")) == jobs[0].id
    play.finish("a.0", Returned())
    assert job_of(next_of(play, "a.0")) == jobs[0].id


def test_an_id_that_stands_twice_in_the_list_is_not_stuck(play: Play) -> None:
    play.policy(per_key=1)
    (job,) = play.enqueue(1, key="x")
    play.client.rpush("rq:queue:q", job.id)
    assert job_of(next_of(play, "a.0")) == job.id
    assert job_of(play.cycle("a.0")[1]) == job.id
    assert play.cycle("a.0")[1] == Empty(0)


def test_a_lapsed_holder_of_a_key_makes_room(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(2, key="x")
    next_of(play, "dead.0")
    play.beat("b")
    assert isinstance(next_of(play, "b.0"), Wait)
    play.move(7), play.beat("b"), play.move(7), play.beat("b"), play.move(7)
    assert [lost.fate for lost in play.beat("b").reaped] == [Fate.REQUEUED]
    assert job_of(next_of(play, "b.0")) == jobs[0].id
    assert play.client.hlen("rq:hg:q:q:keys") == 1


def test_a_key_that_said_rate_limited_sleeps_alone(play: Play) -> None:
    play.policy(per_key=5)
    play.beat("a")
    play.enqueue(3, key="x")
    y = play.enqueue(1, key="y")
    next_of(play, "a.0")
    play.finish("a.0", Deferred("key", 5_000))
    assert job_of(next_of(play, "a.0")) == y[0].id
    answer = next_of(play, "a.1")
    assert isinstance(answer, Wait)
    assert answer.open_at is not None
    assert 4_000 < answer.open_at - play.door.now <= 5_001
    play.move(5.1)
    assert isinstance(next_of(play, "a.1"), Grant)


def test_a_raised_limit_opens_the_keys_and_a_removed_one_drops_the_index(play: Play) -> None:
    play.policy(per_key=1)
    play.enqueue(5, key="x")
    next_of(play, "a.0")
    assert isinstance(next_of(play, "a.1"), Wait)
    play.policy(per_key=2)
    assert isinstance(next_of(play, "a.1"), Grant)
    assert isinstance(next_of(play, "a.2"), Wait)
    play.policy()
    assert isinstance(play.claim("a.2"), Grant)
    assert not [key for key in play.own_keys() if ":lane:" in key or key.endswith((":seen", ":open", ":shut", ":mark"))]


@pytest.mark.parametrize("drain", [True, False])
def test_nothing_of_ours_is_left_when_the_policy_is_gone(play: Play, drain: bool) -> None:
    from headgate.gates.verbs import Owner

    play.policy(per_key=1, total=3)
    play.enqueue(5, key="x"), play.enqueue(5, key="y")
    next_of(play, "a.0"), next_of(play, "a.1")
    if drain:
        play.finish("a.0"), play.finish("a.1")
    assert play.door.unpublish("queue", "q", Owner("ns/q", "uid-q", 1))
    if not drain:
        play.finish("a.0"), play.finish("a.1")
    assert {key for key in play.own_keys() if ":slot:" not in key} == set()
    assert play.client.llen("rq:queue:q") == 8


def test_jobs_without_data_and_stopped_ones_are_dropped_on_the_way(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(4, key="x")
    play.client.delete(jobs[0].key)
    Job.fetch(jobs[1].id, play.client).set_status("stopped")
    assert job_of(next_of(play, "a.0")) == jobs[2].id


@pytest.mark.parametrize("limits", [{}, {"per_key": 3}])
def test_an_id_whose_key_is_no_hash_is_dropped_like_one_without_data(play: Play, limits: dict[str, int]) -> None:
    play.policy(**limits)
    play.client.set("rq:job:odd", "x")
    play.client.rpush("rq:queue:q", "odd")
    (job,) = play.enqueue(1)
    assert job_of(next_of(play, "a.0")) == job.id


@pytest.mark.parametrize("key", ["two words", "line\nbreak\nk", "b1:x", "=", "-", "ключ", b"\xff\x00raw"])
def test_a_key_may_be_any_text(play: Play, key: str | bytes) -> None:
    play.budget("ns/b", total=5)
    play.policy(per_key=1, budgets=(BudgetShare(name="ns/b"),))
    play.beat("a")
    play.enqueue(3, key=key)  # type: ignore[arg-type]
    claim = play.claim_of("a.0")
    answer = play.door.claim(claim)
    assert isinstance(answer, Grant)
    again = play.door.claim(claim)
    assert isinstance(again, Grant)
    assert again.places == answer.places
    assert len(answer.places) == 2
    play.running["a.0"] = answer
    assert isinstance(next_of(play, "a.1"), Wait)
    assert play.beat("a").kept == {"execution1": "kept"}
    assert isinstance(play.cycle("a.0")[1], Grant)
    assert play.finish("a.0", Returned()) == "ok"
    assert play.client.hlen("rq:hg:q:q:keys") == 0


def test_a_job_that_somebody_else_took_from_the_list_is_not_started_again(play: Play) -> None:
    """A stock worker on the same queue pops what our index still knows."""
    play.policy(per_key=3)
    jobs = play.enqueue(3, key="x")
    assert job_of(next_of(play, "a.0")) == jobs[0].id
    assert play.client.lpop("rq:queue:q") == jobs[1].id.encode()
    assert job_of(next_of(play, "a.1")) == jobs[2].id
    assert play.claim("a.2") == Empty(0)


def test_a_job_that_slips_into_a_canceled_ones_place_is_found(play: Play) -> None:
    play.policy(per_key=1)
    jobs = play.enqueue(4, key="x")
    next_of(play, "a.0")
    assert isinstance(next_of(play, "a.1"), Wait)
    jobs[2].cancel()
    (late,) = play.enqueue(1, key="y")
    assert job_of(next_of(play, "a.1")) == late.id
