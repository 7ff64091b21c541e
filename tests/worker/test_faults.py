"""Slots, supervisors and stores that die under a job: it runs again soon, once, and RQ's tools say what happened."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
import rq
from rq import Retry

from headgate.gates.verbs import LEASE_MS
from tests.recorder.accounts import succeeded_twice, unexplained
from tests.recorder.history import Kind, Writer, read
from tests.recorder.overlap import peak
from tests.recorder.runs import runs
from tests.stores import StoreServer, valkey_binary
from tests.worker.running import Bench, children, command, wait_for

T = "tests.worker.tasks."


def started(record: Path) -> int:
    return sum(event.kind is Kind.START for event in read(record)) if record.exists() else 0


def test_a_killed_slot_gives_its_job_to_the_next_within_a_second(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=2, total=1)
    worker = bench.ready()
    record = tmp_path / "record"
    job = bench.queue.enqueue(T + "record", str(record), 2.0)
    wait_for(lambda: started(record) == 1, "start")
    victim = read(record)[0].pid
    with Writer(record) as writer:
        writer.add(Kind.KILLED, pid=victim)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: started(record) == 2, "started again", 1.0 + 2.0)
    events = read(record)
    killed = next(event.at for event in events if event.kind is Kind.KILLED)
    again = [event.at for event in events if event.kind is Kind.START][1]
    assert again - killed < 1_000_000_000
    bench.ended(job)
    worker.wait_log(r"a slot died .*why=\"signal 9 \(SIGKILL\)\"")
    worker.wait_log(rf"event=end id={job.id} .*outcome=requeued")
    assert bench.redis.hget(job.key, "headgate_losses") == b"1"
    wait_for(lambda: len(bench.slots(worker)) == 2, "slot replaced")
    assert peak(runs(read(record))) == 1


@pytest.mark.slow
def test_slots_killed_at_any_moment_lose_nothing(bench: Bench, tmp_path: Path) -> None:
    """Between jobs, in a claim, in a finish, in user code: every job ends once, never more than the total at once."""
    bench.publish(per_worker=3, total=3, jobs={"max_losses": 100})
    worker = bench.ready(HEADGATE_LOG_LEVEL="warning")
    record = tmp_path / "record"
    dice = random.Random(7)
    with Writer(record) as writer:
        jobs = [bench.queue.enqueue(T + "record", str(record), 0.01) for _ in range(600)]
        for job in jobs:
            writer.add(Kind.ACKED, job=job.id)
        kills = 0
        while bench.queue.count > 20 and kills < 60:
            for victim in dice.sample(slots := bench.slots(worker), min(1, len(slots))):
                writer.add(Kind.KILLED, pid=victim)
                os.kill(victim, signal.SIGKILL)
                kills += 1
            time.sleep(dice.uniform(0.01, 0.15))
    assert kills > 5
    bench.ended(*jobs, seconds=60)
    events = read(record)
    history = runs(events)
    assert peak(history) <= 3
    assert succeeded_twice(history) == set()
    assert unexplained(history) == {}
    assert bench.redis.zcard(bench.door.keys.gate("work", "held")) == 0
    assert all(len(job.results()) == 1 for job in jobs)


@pytest.mark.parametrize("task", ["segfault", "exit_at_once"])
def test_a_job_that_takes_its_process_along_once(bench: Bench, tmp_path: Path, task: str) -> None:
    bench.publish()
    worker = bench.ready()
    job = bench.queue.enqueue(T + task, str(tmp_path / "marker"))
    other = bench.queue.enqueue(T + "add", 1)
    bench.ended(job, other)
    why = "exit code 3" if task == "exit_at_once" else "signal 11 (SIGSEGV)"
    assert why in worker.text()


def test_a_poison_job_ends_in_the_dead_set(bench: Bench) -> None:
    bench.publish(jobs={"max_losses": 2})
    bench.ready()
    job = bench.queue.enqueue(T + "always_die", retry=Retry(max=5))
    good = [bench.queue.enqueue(T + "add", number) for number in range(20)]
    bench.ended(job, status="failed")
    bench.ended(*good)
    assert bench.reason(job).startswith("Poison: the process that ran this job died more than 2 times")
    assert "(signal 9)" in bench.reason(job)
    assert job.id in bench.queue.failed_job_registry.get_job_ids()
    wait_for(lambda: not bench.redis.zcard(bench.door.keys.gate("work", "held")), "no place is leaked")


def test_on_worker_lost_fail_is_rqs_own_rule(bench: Bench) -> None:
    bench.publish(jobs={"on_worker_lost": "Fail"})
    bench.ready()
    job = bench.queue.enqueue(T + "always_die")
    bench.ended(job, status="failed")
    assert bench.reason(job).startswith("Work-horse terminated unexpectedly; waitpid returned 9 (signal 9)")


def test_what_a_killed_job_started_is_killed_with_it(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    worker = bench.ready()
    note = tmp_path / "pid"
    bench.queue.enqueue(T + "spawn_child", str(note))
    wait_for(lambda: note.exists() and note.read_text(), "child")
    left = int(note.read_text())
    (slot,) = [pid for pid in bench.slots(worker) if left in children(pid)]
    os.kill(slot, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{left}") or "Z" in Path(f"/proc/{left}/stat").read_text(), "gone")


@pytest.mark.slow
def test_a_killed_worker_loses_its_jobs_to_another_within_the_lease(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1, total=1)
    record = tmp_path / "record"
    first = bench.ready()
    job = bench.queue.enqueue(T + "record", str(record), 4.0)
    wait_for(lambda: started(record) == 1, "start")
    second = bench.ready()
    with Writer(record) as writer:
        writer.add(Kind.KILLED, pid=read(record)[0].pid)
    first.kill()
    wait_for(lambda: started(record) == 2, "taken over", LEASE_MS / 1000 + 8)
    bench.ended(job)
    second.wait_log(rf"a lease lapsed queue=work id={job.id} fate=requeued losses=1")
    assert peak(runs(read(record))) == 1


def test_a_template_that_dies_is_started_again_and_no_job_notices(bench: Bench) -> None:
    bench.publish(per_worker=1)
    worker = bench.ready()
    job = bench.queue.enqueue(T + "sleep", 2)
    bench.ended(job, status="started")
    (template,) = [pid for pid in children(worker.pid) if command(pid) == "hg-template"]
    os.kill(template, signal.SIGKILL)
    bench.ended(job)
    bench.publish(per_worker=3)
    wait_for(lambda: len(bench.slots(worker)) == 3, "slots from the new template")
    bench.ended(bench.queue.enqueue(T + "add", 1))


def test_a_clerk_that_dies_is_started_again(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    worker = bench.ready()

    def clerk() -> list[int]:
        return [pid for pid in children(worker.pid) if command(pid) == "hg-clerk"]

    wait_for(clerk, "clerk")
    os.kill(clerk()[0], signal.SIGKILL)
    wait_for(clerk, "clerk again")
    job = bench.queue.enqueue(T + "fail_times", str(tmp_path / "ran"), 1, retry=Retry(max=1, interval=1))
    bench.ended(job, seconds=30)


def test_the_store_restarts_while_jobs_run(tmp_path: Path) -> None:
    """With its data: what runs goes on and is finished, once."""
    server = StoreServer(valkey_binary(), tmp_path, "--appendonly", "yes", "--appendfsync", "always").start()
    bench = Bench(server.url, "work", tmp_path)
    try:
        bench.publish(per_worker=2, total=2)
        worker = bench.ready()
        record = tmp_path / "record"
        jobs = [bench.queue.enqueue(T + "record", str(record), 3.0) for _ in range(2)]
        wait_for(lambda: started(record) == 2, "both run")
        server.kill()
        worker.wait_log("the store cannot be reached, trying again")
        time.sleep(1)
        server.start()
        bench.ended(*jobs)
        worker.wait_log("the store is back")
        late = bench.queue.enqueue(T + "add", 1)
        bench.ended(late)
        assert started(record) == 2
        assert "Traceback" not in worker.text()
        assert worker.stop() == 0
    finally:
        bench.close()
        server.kill()


def test_the_store_loses_everything_while_a_job_runs(tmp_path: Path) -> None:
    """Empty after its restart: the job is announced again, nothing starts for a lease, then all goes on."""
    server = StoreServer(valkey_binary(), tmp_path).start()
    bench = Bench(server.url, "work", tmp_path)
    try:
        bench.publish(per_worker=1, total=1)
        worker = bench.ready()
        record = tmp_path / "record"
        bench.queue.enqueue(T + "record", str(record), 4.0)
        wait_for(lambda: started(record) == 1, "runs")
        server.kill()
        server.start()
        bench.publish(per_worker=1, total=1)
        worker.wait_log("the store lost data: nothing starts for one lease")
        late = bench.queue.enqueue(T + "record", str(record), 0.0)
        bench.ended(late, seconds=LEASE_MS / 1000 + 20)
        assert peak(runs(read(record))) == 1
        wait_for(lambda: rq.Worker.count(queue=bench.queue) == 1, "registered again")
    finally:
        bench.close()
        server.kill()


def test_a_store_that_is_down_at_the_start(tmp_path: Path) -> None:
    server = StoreServer(valkey_binary(), tmp_path)
    bench = Bench(server.url, "work", tmp_path)
    try:
        worker = bench.worker()
        worker.wait_log(r"the store cannot be reached, trying again error=\".*\" seconds=")
        server.start()
        bench.publish()
        bench.ended(bench.queue.enqueue(T + "add", 1))
        assert "Traceback" not in worker.text()
    finally:
        bench.close()
        server.kill()


@pytest.mark.slow
def test_a_frozen_worker_that_wakes_up_is_refused(bench: Bench, tmp_path: Path) -> None:
    """Its lease lapses while it is stopped; its job runs elsewhere; what it still says is not believed."""
    bench.publish(per_worker=1, total=1)
    record = tmp_path / "record"
    first = bench.ready()
    job = bench.queue.enqueue(T + "record", str(record), 3.0)
    wait_for(lambda: started(record) == 1, "start")
    with Writer(record) as writer:
        writer.add(Kind.FROZEN, pid=read(record)[0].pid)
    with first.frozen():
        second = bench.ready()
        wait_for(lambda: started(record) == 2, "taken over", LEASE_MS / 1000 + 10)
    bench.ended(job)
    first.wait_log("outcome=lost")
    assert len(job.results()) == 1
    assert second.stop() == 0
