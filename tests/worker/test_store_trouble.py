"""A store that is full, frozen or has another password: jobs go on as the policy says, nothing needs a restart."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate_worker.cells import Cells
from headgate_worker.loop import Loop
from headgate_worker.memory import Memory
from headgate_worker.nursery import Nursery
from headgate_worker.settings import load
from headgate_worker.slots import Slot, Slots, State
from tests.recorder.history import Kind, read
from tests.stores import StoreServer, valkey_binary
from tests.worker.running import Bench, wait_for

T = "tests.worker.tasks."


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[StoreServer, Bench]]:
    """A server that the test may hurt."""
    server = StoreServer(valkey_binary(), tmp_path).start()
    bench = Bench(server.url, "work", tmp_path)
    yield server, bench
    bench.close()
    server.kill()


def started(record: Path) -> int:
    return sum(event.kind is Kind.START for event in read(record)) if record.exists() else 0


def freeze(server: StoreServer, seconds: float) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.slow
def test_continue_lets_jobs_run_while_the_store_is_frozen(own: tuple[StoreServer, Bench], tmp_path: Path) -> None:
    server, bench = own
    bench.publish(per_worker=1, total=1)
    worker = bench.ready()
    record = tmp_path / "record"
    job = bench.queue.enqueue(T + "record", str(record), 24.0)
    wait_for(lambda: started(record) == 1, "runs")
    freeze(server, 22)
    bench.ended(job, seconds=40)
    assert started(record) == 1
    assert "a slot died" not in worker.text()
    bench.ended(bench.queue.enqueue(T + "add", 1))


@pytest.mark.slow
def test_stop_ends_jobs_before_their_lease_can_be_given_away(own: tuple[StoreServer, Bench], tmp_path: Path) -> None:
    server, bench = own
    bench.publish(per_worker=1, total=1, jobs={"on_lease_lost": "Stop"})
    worker = bench.ready()
    record = tmp_path / "record"
    job = bench.queue.enqueue(T + "record", str(record), 60.0)
    wait_for(lambda: started(record) == 1, "runs")
    freeze(server, 22)
    worker.wait_log("cut off from the store for longer than the lease, the job is stopped")
    wait_for(lambda: started(record) == 2, "runs again once the store is back", 30)
    assert job.get_status() == "started"


def test_above_maxmemory_what_runs_finishes_and_nothing_starts(own: tuple[StoreServer, Bench], tmp_path: Path) -> None:
    _server, bench = own
    bench.publish(per_worker=1)
    bench.ready()
    record = tmp_path / "record"
    running = bench.queue.enqueue(T + "record", str(record), 1.5)
    waiting = bench.queue.enqueue(T + "record", str(record))
    wait_for(lambda: started(record) == 1, "runs")
    bench.redis.config_set("maxmemory", "1mb")
    bench.ended(running)
    time.sleep(1.5)
    assert waiting.get_status() == "queued"
    bench.redis.config_set("maxmemory", "0")
    bench.ended(waiting)


def test_a_password_that_is_rotated_while_jobs_run(own: tuple[StoreServer, Bench], tmp_path: Path) -> None:
    server, bench = own
    secret = tmp_path / "url"
    secret.write_text(server.url)
    bench.publish(per_worker=1)
    worker = bench.ready(HEADGATE_STORE_URL_FILE=str(secret))
    bench.ended(bench.queue.enqueue(T + "add", 1))
    bench.redis.config_set("requirepass", "new")
    bench.redis.execute_command("AUTH", "new")
    secret.write_text(server.url.replace("redis://", "redis://:new@"))
    for client in bench.redis.client_list():
        if int(client["id"]) != bench.redis.client_id():
            bench.redis.client_kill_filter(_id=client["id"])
    jobs = [bench.queue.enqueue(T + "add", 1), bench.queue.enqueue(T + "fail", str(tmp_path / "record"))]
    bench.ended(jobs[0])
    bench.ended(jobs[1], status="failed")
    assert "a child of the worker failed" not in worker.text()


def test_memory_is_said_with_the_words_people_look_for(capfd: pytest.CaptureFixture[str]) -> None:
    settings = load(["work"], {"REDIS_URL": "redis://127.0.0.1:1"})
    cells = Cells.create()
    nursery = Nursery(settings, cells, Loop())
    slots = Slots("pod-1", cells, nursery, Loop())
    slots._table[0] = Slot(0, "pod-1.0", cells.slot(0), State.UP, pid=os.getpid())
    from headgate_worker import logs

    logs.configure("text", "info")
    Memory(slots, nursery, None).log()
    line = capfd.readouterr().err
    assert "info Memory usage rss=" in line
    assert "slot_0=" in line
    assert "MiB" in line
