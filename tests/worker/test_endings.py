"""Everything but a plain success ends by RQ's own code, as it would on RQ's own worker."""

import datetime
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rq
from rq import Callback, Repeat, Retry
from rq.group import Group
from rq.job import Dependency, Job
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.webhook import Webhook

from tests.recorder.history import clock, read
from tests.worker.running import Bench, wait_for

T = "tests.worker.tasks."


def held(bench: Bench) -> int:
    """Places that somebody holds: none once everything has ended."""
    return int(bench.redis.zcard(bench.door.keys.gate(bench.name, "held")))


def test_a_failure_is_in_the_failed_registry_with_its_reason(bench: Bench, tmp_path: Path) -> None:
    bench.publish(total=1)
    worker = bench.ready()
    job = bench.queue.enqueue(T + "fail", str(tmp_path / "record"))
    bench.ended(job, status="failed")
    assert "ValueError: as told" in bench.reason(job)
    assert "tasks.py" in bench.reason(job)
    assert job.id in FailedJobRegistry(queue=bench.queue).get_job_ids()
    assert StartedJobRegistry(queue=bench.queue).get_job_ids() == []
    worker.wait_log(rf'event=end id={job.id} .*outcome=failed error="ValueError: as told"')
    wait_for(lambda: held(bench) == 0, "place given back")
    again = bench.queue.enqueue(T + "add", 1)
    bench.ended(again)
    job.requeue()
    wait_for(lambda: len(read(tmp_path / "record")) == 4, "ran again")


def test_retry_at_once_and_later(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    soon = bench.queue.enqueue(T + "fail_times", str(tmp_path / "soon"), 2, retry=Retry(max=3))
    later = bench.queue.enqueue(T + "fail_times", str(tmp_path / "later"), 1, retry=Retry(max=1, interval=1))
    bench.ended(soon, later)
    assert soon.return_value() == 3
    assert later.return_value() == 2


def test_retries_run_out(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue(T + "fail_times", str(tmp_path / "ran"), 9, retry=Retry(max=2))
    bench.ended(job, status="failed")
    assert (tmp_path / "ran").read_text() == "3"


def test_a_returned_retry(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue(T + "retry_result", str(tmp_path / "ran"))
    bench.ended(job)
    assert [result.type for result in job.results()] == [Result.Type.SUCCESSFUL, Result.Type.RETRIED]


def test_due_jobs_are_on_time(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    wait_for(lambda: bench.redis.exists("rq:scheduler-lock:work"), "RQ's scheduler lock")
    record = tmp_path / "record"
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    wall, monotonic = time.time(), clock()
    job = bench.queue.enqueue_at(due, T + "record", str(record))
    assert job.get_status() == "scheduled"
    bench.ended(job)
    started = wall + (read(record)[0].at - monotonic) / 1e9
    assert int(due.timestamp()) <= started
    assert ScheduledJobRegistry(queue=bench.queue).count == 0


def test_repeat(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    out = tmp_path / "out"
    bench.queue.enqueue(T + "write", str(out), "ran", repeat=Repeat(times=3, interval=[0, 1]))
    wait_for(lambda: out.exists() and out.read_text().splitlines() == ["ran"] * 4, "four runs")


def test_callbacks(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    said = tmp_path / "said"
    callbacks = {"on_success": Callback(T + "succeeded"), "on_failure": Callback(T + "failed")}
    good = bench.queue.enqueue(T + "add", 1, 2, meta={"callbacks": str(said)}, **callbacks)
    bench.ended(good)
    bad = bench.queue.enqueue(T + "fail", str(tmp_path / "record"), meta={"callbacks": str(said)}, **callbacks)
    bench.ended(bad, status="failed")
    assert said.read_text().splitlines() == ["success 3", "failure ValueError"]
    broken = bench.queue.enqueue(T + "add", 1, on_success=Callback(T + "broken_callback"))
    bench.ended(broken, status="failed")
    assert "the callback broke" in bench.reason(broken)


def test_a_callback_whose_own_server_is_down_fails_its_job_once(bench: Bench) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue(T + "add", 1, on_success=Callback(T + "callback_without_its_server"))
    bench.ended(job, status="failed")
    assert "ConnectionError" in bench.reason(job)
    assert len(job.results()) == 1


def test_dependents(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    out = tmp_path / "out"
    first = bench.queue.enqueue(T + "sleep", 0.3)
    second = bench.queue.enqueue(T + "write", str(out), "second", depends_on=first)
    assert second.get_status() == "deferred"
    bench.ended(first, second)
    bad = bench.queue.enqueue(T + "fail", str(tmp_path / "record"))
    never = bench.queue.enqueue(T + "write", str(out), "never", depends_on=bad)
    allowed = bench.queue.enqueue(T + "write", str(out), "allowed", depends_on=Dependency([bad], allow_failure=True))
    bench.ended(bad, status="failed")
    bench.ended(allowed)
    assert never.get_status() == "deferred"
    assert out.read_text().splitlines() == ["second", "allowed"]


def test_results_that_are_not_kept(bench: Bench) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue(T + "add", 1, result_ttl=0)
    wait_for(lambda: not Job.exists(job.id, bench.redis), "job deleted")
    assert not bench.redis.keys(f"*{job.id}*")
    wait_for(lambda: held(bench) == 0, "place given back")


def test_groups(bench: Bench) -> None:
    bench.publish()
    group = Group.create(bench.redis)
    group.enqueue_many(bench.queue, [rq.Queue.prepare_data(T + "add", (number,)) for number in range(5)])
    bench.ready()
    wait_for(lambda: [job.get_status() for job in group.get_jobs()] == ["finished"] * 5, "group")


def test_rqs_own_rate_limit(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=3)
    bench.ready()
    limit = rq.RateLimit("provider", concurrency=1)
    jobs = [bench.queue.enqueue(T + "record", str(tmp_path / "record"), 0.05, rate_limit=limit) for _ in range(5)]
    bench.ended(*jobs)


def test_a_function_that_does_not_import(bench: Bench) -> None:
    bench.publish()
    bench.ready()
    job = bench.queue.enqueue("no_such_module.send")
    bench.ended(job, status="failed")
    assert "no_such_module.send does not import: No module named 'no_such_module'" in bench.reason(job)


def test_a_hash_that_rq_cannot_read(bench: Bench) -> None:
    bench.publish()
    job = bench.queue.enqueue(T + "add", 1, on_success=Callback(T + "succeeded"))
    bench.redis.hset(job.key, mapping={"result_ttl": "soon", "created_at": "yesterday"})
    worker = bench.ready()
    good = bench.queue.enqueue(T + "add", 1)
    bench.ended(good)
    wait_for(lambda: bench.redis.hget(job.key, "status") == b"failed", f"buried\n{worker.text()}")
    assert bench.redis.zscore("rq:failed:work", job.id)
    wait_for(lambda: held(bench) == 0, "place given back")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[str]]]:
    """A web server that notes what it is asked for; /redirect points at /secret."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/redirect" else 200)
            if self.path == "/redirect":
                self.send_header("Location", "/secret")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhooks_only_to_listed_hosts_and_never_through_a_redirect(
    bench: Bench, receiver: tuple[str, list[str]]
) -> None:
    host, asked = receiver
    bench.publish()
    closed = bench.ready()
    job = bench.queue.enqueue(T + "add", 1, webhooks=[Webhook(f"http://{host}/closed", "finished")])
    bench.ended(job)
    closed.wait_log("webhook not sent: its host is not in HEADGATE_WEBHOOK_HOSTS")
    assert closed.stop() == 0
    bench.ready(HEADGATE_WEBHOOK_HOSTS=host)
    for path in ("open", "redirect"):
        bench.ended(bench.queue.enqueue(T + "add", 1, webhooks=[Webhook(f"http://{host}/{path}", "finished")]))
    wait_for(lambda: "/redirect" in asked, "webhook")
    assert asked == ["/open", "/redirect"]
