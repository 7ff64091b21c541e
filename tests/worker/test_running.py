"""Plain RQ jobs on a real worker and a real store: what RQ's own worker would have made of them."""

import os
import urllib.request
from pathlib import Path

import pytest
import rq
from rq.job import Job
from rq.registry import FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from tests.recorder.history import read
from tests.recorder.overlap import peak
from tests.recorder.runs import runs
from tests.worker.running import Bench, wait_for

T = "tests.worker.tasks."


def test_plain_jobs_run(bench: Bench) -> None:
    bench.publish()
    jobs = [bench.queue.enqueue(T + "add", number, right=1) for number in range(20)]
    worker = bench.ready()
    bench.ended(*jobs)
    assert [job.return_value() for job in jobs] == list(range(1, 21))
    late = bench.queue.enqueue(T + "add", 40, 2)
    bench.ended(late)
    assert late.return_value() == 42
    assert worker.stop() == 0
    assert "Traceback" not in worker.text()


def test_arrivals_are_heard_while_another_slot_works(bench: Bench) -> None:
    bench.publish()
    bench.ready()
    long = bench.queue.enqueue(T + "sleep", 3)
    wait_for(lambda: long.get_status(refresh=True) == "started", "the long job starts")
    short = bench.queue.enqueue(T + "add", 1)
    bench.ended(short)
    assert long.get_status(refresh=True) == "started"


def test_what_rq_stores_of_a_success(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready()
    nothing = bench.queue.enqueue(T + "nothing")
    odd = bench.queue.enqueue(T + "unserialisable", result_ttl=-1)
    bench.ended(nothing, odd)
    assert nothing.return_value() is None
    assert odd.return_value() == "Unserializable return value"
    job = Job.fetch(nothing.id, connection=bench.redis)
    assert job.started_at <= job.ended_at
    assert job.worker_name.rpartition(".")[0] in worker.text()
    assert 490 < bench.redis.ttl(job.key) <= 500
    assert bench.redis.ttl(odd.key) == -1
    result = job.latest_result()
    assert result.execution_id
    assert result.execution_started_at <= result.execution_ended_at
    assert result.worker_name == job.worker_name
    assert set(FinishedJobRegistry(queue=bench.queue).get_job_ids()) == {nothing.id, odd.id}
    assert StartedJobRegistry(queue=bench.queue).get_job_ids() == []
    assert job.get_executions() == []


def test_what_a_job_sees_of_itself(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready()
    job = bench.queue.enqueue(T + "about_me")
    second = bench.queue.enqueue(T + "about_me")
    bench.ended(job, second)
    seen = job.return_value()
    assert seen["id"] == seen["env_job"] == job.id
    assert seen["worker"] == seen["env_worker"]
    assert seen["status"].endswith("started") or "STARTED" in seen["status"]
    assert seen["group_leader"] is True
    assert seen["pid"] in bench.slots(worker)
    assert 0 < seen["fence"] != second.return_value()["fence"]


def test_a_job_that_changes_itself(bench: Bench) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue(T + "change_myself")
    bench.ended(job)
    stored = Job.fetch(job.id, connection=bench.redis)
    assert stored.description == "changed"
    assert stored.meta == {"step": 2}


def test_coroutines_run(bench: Bench) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue(T + "later", "well")
    bench.ended(job)
    assert job.return_value() == f"well {job.id}"


def test_canceled_jobs_do_not_run(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    record = tmp_path / "record"
    kept = bench.queue.enqueue(T + "record", str(record))
    gone = bench.queue.enqueue(T + "record", str(record))
    gone.cancel()
    deleted = bench.queue.enqueue(T + "record", str(record))
    bench.redis.delete(deleted.key)
    bench.ready()
    bench.ended(kept)
    wait_for(lambda: bench.queue.count == 0, "empty queue")
    assert {event.job for event in read(record)} == {kept.id}
    assert gone.get_status() == "canceled"


def test_workers_are_seen_by_rq(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=3)
    worker = bench.ready()
    wait_for(lambda: rq.Worker.count(queue=bench.queue) == 3, "three workers")
    job = bench.queue.enqueue(T + "sleep", 3)
    bench.ended(job, status="started")
    busy = [each for each in rq.Worker.all(queue=bench.queue) if each.get_state() == "busy"]
    assert [each.get_current_job_id() for each in busy] == [job.id]
    assert StartedJobRegistry(queue=bench.queue).get_job_ids() == [job.id]
    assert 60 < bench.redis.ttl(busy[0].key) <= 90
    bench.ended(job)
    wait_for(lambda: all(each.get_state() == "idle" for each in rq.Worker.all(queue=bench.queue)), "all idle")
    counted = lambda: sum(each.successful_job_count for each in rq.Worker.all(queue=bench.queue))  # noqa: E731
    wait_for(lambda: counted() == 1, "RQ's own counter")
    assert worker.stop() == 0
    assert rq.Worker.count(queue=bench.queue) == 0
    assert rq.Worker.all_keys(connection=bench.redis) == []


@pytest.mark.parametrize("total", [1, 3])
def test_the_total_holds_across_workers(bench: Bench, tmp_path: Path, total: int) -> None:
    bench.publish(per_worker=3, total=total)
    record = tmp_path / "record"
    jobs = [bench.queue.enqueue(T + "record", str(record), 0.02) for _ in range(40)]
    first, second = bench.ready(), bench.ready()
    bench.ended(*jobs)
    history = runs(read(record))
    assert len(history) == 40
    assert peak(history) == total
    assert first.stop() == second.stop() == 0


def test_a_json_producer_and_json_results(bench: Bench) -> None:
    bench.publish(jobs={"payload": "JSON"})
    bench.ready()
    queue = rq.Queue(bench.name, connection=bench.redis, serializer=JSONSerializer)
    job = queue.enqueue(T + "add", 1, 2)
    bench.ended(job)
    assert job.return_value() == 3


def test_health_and_metrics(bench: Bench) -> None:
    bench.publish(total=1)
    worker = bench.ready()
    job = bench.queue.enqueue(T + "add", 1)
    bench.ended(job)

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}{path}") as answer:
            return str(answer.read().decode())

    assert get("/healthz") == "ok\n"
    assert get("/readyz") == "ready\n"
    wait_for(lambda: 'headgate_jobs_finished_total{outcome="ok",queue="work"} 1.0' in get("/metrics"), "counted")
    text = get("/metrics")
    assert 'headgate_jobs_started_total{queue="work"} 1.0' in text
    assert "headgate_slots 2.0" in text
    assert 'headgate_job_seconds_bucket{le="+Inf",queue="work"} 1.0' in text
    assert 'headgate_slot_memory_bytes{kind="private",slot="0"}' in text


def test_the_slots_share_the_applications_memory(bench: Bench) -> None:
    bench.publish(per_worker=4)
    worker = bench.ready()
    jobs = [bench.queue.enqueue(T + "add", number) for number in range(400)]
    bench.ended(*jobs, seconds=60)
    from headgate_worker.processes import private_bytes

    for pid in bench.slots(worker):
        assert 0 < private_bytes(pid) <= 8 << 20, private_bytes(pid)


def test_log_lines_of_a_job(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready()
    job = bench.queue.enqueue(T + "add", 1)
    bench.ended(job)
    worker.wait_log(rf"Queue job event=start id={job.id} function=tests.worker.tasks.add queue=work")
    worker.wait_log(rf"Queue job event=end id={job.id} function=tests.worker.tasks.add seconds=0\.\d+ outcome=ok")


def test_silent_when_told(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready(HEADGATE_LOG_LEVEL="warning")
    bench.ended(bench.queue.enqueue(T + "add", 1))
    assert worker.stop() == 0
    assert worker.text() == ""


def test_slots_die_with_their_supervisor(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready()
    slots = bench.slots(worker)
    worker.kill()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in slots), "slots gone")
