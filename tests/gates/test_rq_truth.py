"""What the scripts write is what RQ's own worker writes: the same job run by both, every key of RQ's compared."""

import re
import time
from math import isinf
from typing import Any

import pytest
import redis
from rq import Queue, SimpleWorker, Worker
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FinishedJobRegistry, StartedJobRegistry
from rq.utils import now, utcformat

from headgate.gates.verbs import Beat, Done, Finish, Finished, Grant, Returned, SlotBeat
from tests.gates.play import DONE, Play

VOLATILE = {b"created_at", b"enqueued_at", b"started_at", b"ended_at", b"last_heartbeat", b"birth"}


def add(a: int, b: int) -> int:
    return a + b


def picture(client: redis.Redis, names: dict[str, str]) -> dict[str, Any]:
    """RQ's keys with ids replaced by names, times by their form, and how long each lives (to 10 s)."""

    def plain(value: bytes) -> str:
        text = value.decode(errors="backslashreplace")
        for name, word in names.items():
            text = text.replace(name, word)
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<other job>", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<iso>", text)
        return re.sub(r"\d{10}(\.\d+)?", lambda found: "<epoch>", text)

    seen: dict[str, Any] = {}
    for key in client.keys("*"):
        if key.startswith((b"rq:hg:", b"rq:test:", b"rq:worker")) and not key.endswith(b":executions"):
            continue  # workers register themselves, the scripts only keep what is there
        kind = client.type(key)
        if kind == b"hash":
            value: Any = {plain(field): plain(item) for field, item in client.hgetall(key).items()}
        elif kind == b"list":
            value = [plain(item) for item in client.lrange(key, 0, -1)]
        elif kind == b"set":
            value = sorted(plain(item) for item in client.smembers(key))
        elif kind == b"zset":
            scores = client.zrange(key, 0, -1, withscores=True)
            value = [(plain(m), s if isinf(s) else round((s - time.time()) / 10)) for m, s in scores]
        elif kind == b"string":
            value = plain(client.get(key))
        else:
            value = [{plain(f): plain(v) for f, v in entry.items()} for _, entry in client.xrange(key)]
        ttl = client.ttl(key)
        seen[plain(key)] = (value, round(ttl / 10) if ttl > 0 else ttl)
    return seen


def stock(client: redis.Redis, job: Job, until: JobStatus) -> dict[str, Any]:
    if until == JobStatus.FINISHED:
        SimpleWorker(["q"], connection=client, name="w").work(burst=True)
        client.delete("rq:clean_registries:q", "rq:clean_groups")  # locks of its maintenance
    else:
        worker = Worker(["q"], connection=client, name="w")
        client.lpop("rq:queue:q")
        execution = worker.prepare_execution(job)
        worker.prepare_job_execution(job)
    found = job.results()
    execution_id = found[0].execution_id if found else execution.id
    return picture(client, {job.id: "<job>", execution_id: "<execution>"})


@pytest.fixture
def seen_by_rq(play: Play) -> Play:
    play.policy(total=3)
    return play


@pytest.mark.parametrize("timeout", [180, 7, -1])
@pytest.mark.parametrize("options", [{}, {"ttl": 700}, {"depends": True}], ids=["plain", "ttl", "dependency"])
def test_a_started_job_looks_as_rq_would_have_started_it(
    seen_by_rq: Play, timeout: int, options: dict[str, Any]
) -> None:
    """From its first renewal on: until then the set of its executions has no time to live, as most jobs end before."""
    play, queue = seen_by_rq, Queue("q", connection=seen_by_rq.client)
    views = []
    for ours in (False, True):
        play.afresh()
        play.policy(total=3)
        job = _enqueue(play, queue, timeout, options)
        if ours:
            answer = play.claim("w")
            assert isinstance(answer, Grant)
            assert play.client.ttl(f"rq:executions:{job.id}") == -1
            play.door.renew(Beat("w", "w", "q", 1, (SlotBeat("w"),), [play.holding("w")]))
            views.append(picture(play.client, {job.id: "<job>", answer.execution: "<execution>"}))
        else:
            views.append(stock(play.client, job, JobStatus.STARTED))
    assert views[1] == views[0]
    assert StartedJobRegistry("q", play.client).get_job_ids() == [job.id]
    assert [execution.worker_name for execution in job.get_executions()] == ["w"]


@pytest.mark.parametrize("result_ttl", [None, 90, -1])
@pytest.mark.parametrize("options", [{}, {"depends": True}], ids=["plain", "dependency"])
def test_a_finished_job_looks_as_rq_would_have_finished_it(
    seen_by_rq: Play, result_ttl: int | None, options: dict[str, Any]
) -> None:
    play, queue = seen_by_rq, Queue("q", connection=seen_by_rq.client)
    views = []
    for ours in (False, True):
        play.afresh()
        play.policy(total=3)
        job = _enqueue(play, queue, 180, {**options, "result_ttl": result_ttl})
        if ours:
            answer = play.door.claim(play.claim_of("w"))
            assert isinstance(answer, Grant)
            assert play.door.finish(_done(answer, result_ttl)) is Finished.OK
            views.append(picture(play.client, {job.id: "<job>", answer.execution: "<execution>"}))
        else:
            views.append(stock(play.client, job, JobStatus.FINISHED))
    assert views[1] == views[0]
    assert job.return_value(refresh=True) == 5
    assert job.id in FinishedJobRegistry("q", play.client).get_job_ids()


def _enqueue(play: Play, queue: Queue, timeout: int, options: dict[str, Any]) -> Job:
    options = dict(options)
    if options.pop("depends", False):
        first = queue.enqueue(add, 0, 0)
        options["depends_on"] = first
        job = queue.enqueue(add, 2, 3, job_timeout=timeout, **options)
        play.client.lpop("rq:queue:q")
        first.set_status(JobStatus.FINISHED)
        queue.enqueue_dependents(first)
        play.client.delete(first.key)
        return job
    return queue.enqueue(add, 2, 3, job_timeout=timeout, **options)


def _done(grant: Grant, result_ttl: int | None) -> Finish:
    from base64 import b64encode
    from pickle import HIGHEST_PROTOCOL, dumps

    result = b64encode(dumps(5, protocol=HIGHEST_PROTOCOL))
    outcome = Done(result, 500 if result_ttl is None else result_ttl, utcformat(now()), utcformat(now()))
    return Finish("q", "w", grant.job_id, grant.execution, grant.fence, outcome, grant.places)


def test_a_job_handed_back_looks_as_if_it_never_ran(play: Play) -> None:
    play.policy(total=3)
    for ttl in (None, 700):
        (job,) = play.enqueue(1, ttl=ttl)
        names = {job.id: "<job>"}
        before = picture(play.client, names)
        play.claim("w.0")
        play.finish("w.0", Returned())
        assert picture(play.client, names) == before
        play.client.delete("rq:queue:q", job.key)


def test_dependents_that_appear_while_a_job_runs_make_its_finish_slow_and_write_nothing(play: Play) -> None:
    play.policy(total=1)
    queue = Queue("q", connection=play.client)
    first = queue.enqueue(add, 1, 1)
    play.claim("w.0")
    queue.enqueue(add, 2, 2, depends_on=first)
    before = {key: play.client.dump(key) for key in play.client.keys("*") if key != b"rq:hg:meta"}
    assert play.door.finish(play.finish_of("w.0")) is Finished.SLOW
    finished, _ = play.door.finish_claim(play.finish_of("w.0"), play.claim_of("w.0"))
    assert finished is Finished.SLOW
    assert {key: play.client.dump(key) for key in play.client.keys("*") if key != b"rq:hg:meta"} == before


def test_heartbeats_keep_rqs_records_alive_and_never_make_one(play: Play) -> None:
    play.policy(total=3)
    (job,) = play.enqueue(1)
    play.claim("w.0")
    play.client.hset("rq:worker:w.0", mapping={"birth": "x", "last_heartbeat": "old"})
    member = f"{job.id}:execution1"
    play.client.expire(f"rq:execution:{member}", 5), play.client.expire(f"rq:executions:{job.id}", 5)
    play.client.zadd("rq:wip:q", {member: time.time() + 5})
    renewal = play.beat("w", slots=2)
    assert renewal.unregistered == ("w.1",)
    assert play.client.ttl(f"rq:execution:{member}") > 80
    assert play.client.ttl(f"rq:executions:{job.id}") > 140
    assert play.client.zscore("rq:wip:q", member) > time.time() + 80
    assert play.client.hget("rq:worker:w.0", "last_heartbeat") != b"old"
    assert not play.client.exists("rq:worker:w.1")
    assert Execution.fetch("execution1", job.id, play.client).last_heartbeat.timestamp() == pytest.approx(
        time.time(), abs=60
    )
    play.client.delete(f"rq:execution:{member}", job.key)
    play.beat("w")
    assert not play.client.exists(f"rq:execution:{member}", job.key)


def test_worker_counters_grow_once_per_beat_however_often_it_is_sent(play: Play) -> None:
    from headgate.gates.verbs import Beat, SlotBeat

    play.policy()
    play.client.hset("rq:worker:w.0", mapping={"birth": "x", "successful_job_count": 2, "total_working_time": 1.5})
    for successes, seconds in ((3, 0.5), (3, 0.5), (7, 2.0), (1, 0.25)):
        play.door.renew(Beat("w", "w", "q", 1, (SlotBeat("w.0", successes, seconds),), ()))
    read = play.client.hmget("rq:worker:w.0", "successful_job_count", "total_working_time")
    assert (int(read[0]), float(read[1])) == (2 + 7 + 1, 1.5 + 2.0 + 0.25)


def test_a_slots_state_says_busy_and_idle(play: Play) -> None:
    play.policy()
    play.client.hset("rq:worker:w.0", "birth", "x")
    play.enqueue(2)
    play.claim("w.0")
    assert play.client.hget("rq:worker:w.0", "state") == b"busy"
    play.cycle("w.0")
    assert play.client.hget("rq:worker:w.0", "state") == b"busy"
    play.cycle("w.0")
    assert play.client.hget("rq:worker:w.0", "state") == b"idle"
    play.enqueue(1)
    play.claim("nobody.0")
    assert not play.client.exists("rq:worker:nobody.0")


def test_fields_that_user_code_changed_are_written_with_the_finish(play: Play) -> None:
    play.policy()
    (job,) = play.enqueue(1)
    play.claim("w.0")
    changed = Done(DONE.result, 500, DONE.started_at, DONE.ended_at, {"description": b"other words"})
    play.finish("w.0", changed)
    job.refresh()
    assert job.description == "other words"
    assert job.started_at is not None
    assert utcformat(job.started_at) == DONE.started_at
