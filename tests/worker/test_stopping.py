"""How a worker and its jobs are stopped: drain, hand back, RQ's commands, timeouts."""

import os
import signal
import time
from pathlib import Path

import pytest
import rq
from rq import Callback
from rq.command import (
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_execution_command,
    send_stop_job_command,
)
from rq.suspension import resume, suspend

from tests.recorder.history import Kind, read
from tests.worker.running import Bench, Worker, wait_for

T = "tests.worker.tasks."


def started(record: Path) -> int:
    return sum(event.kind is Kind.START for event in read(record)) if record.exists() else 0


def busy(bench: Bench, tmp_path: Path, seconds: float, **environment: str) -> tuple[Worker, rq.job.Job, Path]:
    """A worker in the middle of one job, and one that waits."""
    worker = bench.ready(**environment)
    record = tmp_path / "record"
    job = bench.queue.enqueue(T + "record", str(record), seconds)
    wait_for(lambda: started(record) == 1, "runs")
    return worker, job, record


def test_sigterm_finishes_what_runs_and_starts_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    worker, job, record = busy(bench, tmp_path, 1.5)
    waiting = bench.queue.enqueue(T + "record", str(record))
    worker.signal(signal.SIGTERM)
    worker.wait_log("draining: nothing new starts running=1")
    assert worker.wait() == 0
    assert job.get_status() == "finished"
    assert waiting.get_status() == "queued"
    assert started(record) == 1
    assert rq.Worker.all_keys(connection=bench.redis) == []


def test_a_second_sigterm_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    worker, job, _record = busy(bench, tmp_path, 1.5)
    for _ in range(3):
        worker.signal(signal.SIGTERM)
        time.sleep(0.2)
    assert worker.process.poll() is None
    assert worker.wait() == 0
    assert job.get_status() == "finished"


def test_what_cannot_finish_goes_to_the_front_with_no_attempt_used(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    worker, job, record = busy(bench, tmp_path, 60, HEADGATE_DRAIN_SECONDS="1")
    behind = bench.queue.enqueue(T + "add", 1)
    assert worker.stop() == 0
    assert job.get_status() == "queued"
    assert bench.queue.get_job_ids() == [job.id, behind.id]
    assert bench.redis.hget(job.key, "headgate_losses") is None
    assert bench.redis.zcard(bench.door.keys.gate("work", "held")) == 0
    assert started(record) == 1
    worker.wait_log(rf"handing a job back unfinished .*id={job.id}")
    worker.wait_log(rf"event=end id={job.id} .*outcome=returned")


def test_sigint_once_drains(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    worker, job, _record = busy(bench, tmp_path, 1.0)
    worker.signal(signal.SIGINT)
    assert worker.wait() == 0
    assert job.get_status() == "finished"


def test_sigint_twice_hands_back_now(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    worker, job, _record = busy(bench, tmp_path, 60, HEADGATE_DRAIN_SECONDS="600")
    worker.signal(signal.SIGINT)
    worker.wait_log("draining")
    worker.signal(signal.SIGINT)
    assert worker.wait() == 0
    assert job.get_status() == "queued"


def test_signals_to_every_process_of_the_worker_change_nothing(bench: Bench, tmp_path: Path) -> None:
    """systemd and a terminal signal all of them; only the supervisor's counts."""
    bench.publish(per_worker=1)
    worker, job, _record = busy(bench, tmp_path, 1.5)
    for pid in bench.slots(worker):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    bench.ended(job)
    assert worker.stop() == 0


def test_stop_job(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=2)
    worker = bench.ready()
    said = tmp_path / "said"
    jobs = [
        bench.queue.enqueue(
            T + "sleep", 30, on_stopped=Callback(T + "stopped"), meta={"callbacks": str(said)}, retry=rq.Retry(max=2)
        )
        for _ in range(2)
    ]
    bench.ended(*jobs, status="started")
    send_stop_job_command(bench.redis, jobs[1].id)
    bench.ended(jobs[1], status="stopped")
    assert jobs[0].get_status() == "started"
    assert bench.reason(jobs[1]) == "Job stopped by user, work-horse terminated."
    assert said.read_text() == "stopped\n"
    assert jobs[1].id in bench.queue.failed_job_registry.get_job_ids()
    (execution,) = jobs[0].get_executions()
    send_stop_execution_command(bench.redis, jobs[0].id, execution.id)
    bench.ended(jobs[0], status="stopped")
    bench.ended(bench.queue.enqueue(T + "add", 1))
    send_stop_job_command(bench.redis, jobs[0].id)
    worker.wait_log("command ignored: nothing like that runs here command=stop-job")


def test_kill_horse_is_a_failure_as_in_rq(bench: Bench) -> None:
    bench.publish(per_worker=1)
    bench.ready()
    job = bench.queue.enqueue(T + "sleep", 30)
    bench.ended(job, status="started")
    send_kill_horse_command(bench.redis, rq.job.Job.fetch(job.id, connection=bench.redis).worker_name)
    bench.ended(job, status="failed")
    assert "Work-horse terminated unexpectedly" in bench.reason(job)


def test_the_shutdown_command_drains(bench: Bench) -> None:
    bench.publish(per_worker=2)
    worker = bench.ready()
    wait_for(lambda: rq.Worker.count(queue=bench.queue) == 2, "registered")
    job = bench.queue.enqueue(T + "sleep", 1)
    bench.ended(job, status="started")
    bench.redis.publish(f"rq:pubsub:{rq.Worker.all(queue=bench.queue)[0].name}", b"not json")
    send_shutdown_command(bench.redis, rq.Worker.all(queue=bench.queue)[0].name)
    assert worker.wait() == 0
    assert job.get_status() == "finished"
    assert "not a command of RQ's" in worker.text()


def test_suspend_and_resume(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready()
    bench.ended(bench.queue.enqueue(T + "add", 1))
    suspend(bench.redis)
    worker.wait_log("suspended by `rq suspend`")
    job = bench.queue.enqueue(T + "add", 1)
    time.sleep(1)
    assert job.get_status() == "queued"
    assert {each.get_state() for each in rq.Worker.all(queue=bench.queue)} == {"suspended"}
    resume(bench.redis)
    bench.ended(job, seconds=3)


def test_a_timeout_is_rqs(bench: Bench) -> None:
    bench.publish()
    worker = bench.ready()
    job = bench.queue.enqueue(T + "sleep", 30, job_timeout=1)
    bench.ended(job, status="failed")
    assert "JobTimeoutException: Task exceeded maximum timeout value (1 seconds)" in bench.reason(job)
    worker.wait_log(rf"event=end id={job.id} .*outcome=timeout")
    bench.ended(bench.queue.enqueue(T + "add", 1))


def test_the_deadline_caps_the_timeout(bench: Bench) -> None:
    bench.publish(jobs={"deadline_seconds": 1})
    bench.ready()
    job = bench.queue.enqueue(T + "sleep", 30, job_timeout=600)
    bench.ended(job, status="failed")
    assert "Task exceeded maximum timeout value (1 seconds)" in bench.reason(job)


def test_a_job_that_ignores_its_timeout_is_killed_at_its_deadline(bench: Bench) -> None:
    bench.publish(per_worker=1, jobs={"deadline_seconds": 2})
    worker = bench.ready()
    job = bench.queue.enqueue(T + "ignore_timeout", 100)
    bench.ended(job, status="failed", seconds=20)
    assert "Work-horse terminated unexpectedly" in bench.reason(job)
    worker.wait_log("a job ignores its timeout, its process is killed")
    bench.ended(bench.queue.enqueue(T + "add", 1))


def test_a_slot_that_grew_is_replaced_between_jobs(bench: Bench) -> None:
    bench.publish(per_worker=1)
    worker = bench.ready(HEADGATE_RECYCLE_SLOT_ABOVE_MIB="150")
    first = bench.queue.enqueue(T + "allocate", 300)
    bench.ended(first)
    worker.wait_log(r"a slot is replaced after its job .*limit=150MiB")
    wait_for(lambda: bench.slots(worker) not in ([], [first.return_value()]), "another process")
    bench.ended(bench.queue.enqueue(T + "add", 1))
    assert "a slot died" not in worker.text()


@pytest.mark.parametrize("preload", ["no.such.module", "tests.worker.broken_module"])
def test_a_preload_that_fails_is_one_line(bench: Bench, preload: str) -> None:
    bench.publish()
    worker = bench.worker(HEADGATE_PRELOAD=preload)
    assert worker.wait() == 1
    (line,) = [line for line in worker.text().splitlines() if "error" in line]
    assert f"HEADGATE_PRELOAD={preload} does not import: " in line
    assert "Traceback" not in worker.text()


def test_bad_settings_are_one_line(bench: Bench) -> None:
    worker = bench.worker(HEADGATE_DRAIN_SECONDS="soon")
    assert worker.wait() == 1
    assert worker.text().count("\n") == 1
    assert "HEADGATE_DRAIN_SECONDS='soon'" in worker.text()


def test_an_evicting_store_is_refused(bench: Bench) -> None:
    bench.publish()
    bench.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        worker = bench.worker()
        assert worker.wait() == 1
        assert "maxmemory-policy" in worker.text()
        assert worker.text().count("\n") == 1
    finally:
        bench.redis.config_set("maxmemory-policy", "noeviction")


def test_a_wrong_password_says_so(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text(bench.url.replace("redis://", "redis://:wrong@"))
    bench.publish()
    bench.redis.config_set("requirepass", "right")
    try:
        worker = bench.worker(HEADGATE_STORE_URL_FILE=str(secret))
        worker.wait_log("invalid username-password")
        secret.write_text(bench.url.replace("redis://", "redis://:right@"))
        wait_for(lambda: bench.slots(worker), "recovers without a restart when the Secret is right")
        assert "Traceback" not in worker.text()
        worker.stop()
    finally:
        bench.redis.config_set("requirepass", "")
