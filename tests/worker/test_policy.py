"""What a policy changes while the worker runs: slots, limits, holds, payload rules; and what jobs say about limits."""

import itertools
import pickle
import time
import zlib
from pathlib import Path

import pytest
import rq
from rq import Callback

from headgate.gates.verbs import Instance
from headgate.model.documents import BudgetDocument, BudgetShare, QueueDocument, RateDocument
from tests.recorder.history import Kind, read
from tests.recorder.overlap import peak
from tests.recorder.runs import runs
from tests.worker.running import Bench, wait_for

T = "tests.worker.tasks."


def running(record: Path) -> int:
    if not record.exists():
        return 0
    events = read(record)
    return sum((event.kind is Kind.START) - (event.kind is Kind.END) for event in events)


def test_slots_follow_the_policy_and_no_job_is_killed(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    worker = bench.ready()
    record = tmp_path / "record"
    jobs = [bench.queue.enqueue(T + "record", str(record), 1.5) for _ in range(4)]
    wait_for(lambda: running(record) == 1, "one runs")
    bench.publish(per_worker=4)
    wait_for(lambda: len(bench.slots(worker)) == 4, "grown")
    wait_for(lambda: running(record) > 1, "more run")
    bench.publish(per_worker=1)
    bench.ended(*jobs)
    wait_for(lambda: len(bench.slots(worker)) == 1, "shrunk")
    assert len(runs(read(record))) == 4
    wait_for(lambda: rq.Worker.count(queue=bench.queue) == 1, "its RQ worker is signed off too")
    assert "a slot died" not in worker.text()


def test_a_lowered_total_holds_at_the_next_start(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=4, total=4)
    bench.ready()
    record = tmp_path / "record"
    jobs = [bench.queue.enqueue(T + "record", str(record), 0.1) for _ in range(60)]
    wait_for(lambda: running(record) == 4, "four run")
    bench.publish(per_worker=4, total=1)
    changed = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    bench.ended(*jobs)
    later = [run for run in runs(read(record)) if run.started > changed + 150_000_000]
    assert len(later) > 20
    assert peak(later) == 1


def test_a_raised_total_is_used_at_once(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=4, total=1)
    bench.ready()
    record = tmp_path / "record"
    jobs = [bench.queue.enqueue(T + "record", str(record), 2.0) for _ in range(4)]
    wait_for(lambda: running(record) == 1, "one runs")
    bench.publish(per_worker=4, total=4)
    wait_for(lambda: running(record) == 4, "all run", 1.5)
    bench.ended(*jobs)


def test_a_new_revision_is_acknowledged_at_once_and_not_with_the_next_beat(bench: Bench) -> None:
    bench.publish(per_worker=1, total=4)
    bench.ready()

    def instance() -> Instance | None:
        return next(iter(bench.door.inspect().queues[bench.name].instances), None)

    beaten = wait_for(instance, "a beat").renewed_at
    fresh = wait_for(lambda: (found := instance()) and found.renewed_at > beaten and found, "the next beat")
    bench.publish(per_worker=1, total=3)
    wait_for(lambda: (found := instance()) and found.revision > fresh.revision, "acknowledged", 2.5)


def test_a_rate_is_kept_and_used(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=3, rate_total=RateDocument(limit=5, period_ms=1000))
    bench.ready()
    record = tmp_path / "record"
    jobs = [bench.queue.enqueue(T + "record", str(record)) for _ in range(16)]
    bench.ended(*jobs)
    starts = [event.at for event in read(record) if event.kind is Kind.START]
    # A start is on record a moment after its grant, by a different moment each time; grants are judged in tests/gates.
    assert all(later - earlier > 600_000_000 for earlier, later in zip(starts, starts[5:], strict=False))
    assert starts[-1] - starts[0] < 6_000_000_000


def test_hold_starts_nothing_and_ends_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    bench.ready()
    record = tmp_path / "record"
    first = bench.queue.enqueue(T + "record", str(record), 1.0)
    wait_for(lambda: running(record) == 1, "runs")
    bench.publish(stop_policy="Hold")
    second = bench.queue.enqueue(T + "record", str(record))
    bench.ended(first)
    time.sleep(1)
    assert second.get_status() == "queued"
    bench.publish()
    bench.ended(second)


def test_a_key_in_meta_is_one_gate(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=3, per_key=1, key_field="tenant")
    record = tmp_path / "record"
    other = tmp_path / "other"
    blocked = [bench.queue.enqueue(T + "record", str(record), 0.2, meta={"tenant": "acme"}) for _ in range(6)]
    free = bench.queue.enqueue(T + "record", str(other), meta={"tenant": "globex"})
    none = bench.queue.enqueue(T + "record", str(other))
    bench.ready()
    bench.ended(free, none, seconds=5)
    assert any(job.get_status() == "queued" for job in blocked)
    bench.ended(*blocked)
    assert peak(runs(read(record))) == 1


def test_a_budget_over_two_queues(bench: Bench, tmp_path: Path) -> None:
    budget = BudgetDocument(name="test/mail", total=2)
    bench.generation += 1
    bench.declare(budget, "test/mail")
    shared = (BudgetShare(name="test/mail"),)
    other = Bench(bench.url, "other", tmp_path)
    try:
        bench.publish(per_worker=3, budgets=shared)
        other.publish(per_worker=3, budgets=shared)
        record = tmp_path / "record"
        jobs = [queue.queue.enqueue(T + "record", str(record), 0.05) for queue in (bench, other) for _ in range(20)]
        bench.ready()
        other.ready()
        bench.ended(*jobs)
        assert peak(runs(read(record))) == 2
    finally:
        other.close()


def test_without_a_policy_nothing_starts_until_there_is_one(bench: Bench) -> None:
    job = bench.queue.enqueue(T + "add", 1)
    worker = bench.worker()
    worker.wait_log("no policy is published for this queue: nothing starts until there is one queue=work")
    time.sleep(1)
    assert job.get_status() == "queued"
    bench.publish()
    bench.ended(job)


@pytest.mark.parametrize("payload", ["Plain", "JSON"])
def test_hostile_payloads_end_in_the_dead_set_and_nothing_runs(bench: Bench, tmp_path: Path, payload: str) -> None:
    touched = tmp_path / "touched"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (touched,)

    bench.publish(jobs={"payload": payload})
    serializer = rq.serializers.JSONSerializer if payload == "JSON" else None
    queue = rq.Queue(bench.name, connection=bench.redis, serializer=serializer)
    planted = queue.enqueue(T + "add", 1, retry=rq.Retry(max=3), on_failure=Callback(T + "failed"))
    bench.redis.hset(planted.key, "data", zlib.compress(pickle.dumps((T + "add", None, (Hostile(),), {}))))
    bench.redis.hset(planted.key, "meta", pickle.dumps({"headgate_key": Hostile()}))
    builtin = queue.enqueue("builtins.eval", f"open({str(touched)!r}, 'w')")
    bare = queue.enqueue("eval", f"open({str(touched)!r}, 'w')")
    stdlib = queue.enqueue("os.system", f"touch {touched}")
    good = queue.enqueue(T + "add", 1, 2)
    bench.ready()
    bench.ended(good)
    for job in (builtin, bare, stdlib):
        bench.ended(job, status="failed")
        assert bench.reason(job).startswith("FunctionNotAllowed: ")
    wait_for(lambda: bench.redis.hget(planted.key, "status") == b"failed", "planted job refused")
    assert bench.reason(rq.job.Job(planted.id, connection=bench.redis)).startswith("PayloadRefused: jobs.payload is")
    assert not touched.exists()


def test_only_listed_functions_and_callbacks_run(bench: Bench, tmp_path: Path) -> None:
    bench.publish(jobs={"payload": "Plain", "functions": (T + "add",)})
    worker = bench.ready()
    said = tmp_path / "said"
    good = bench.queue.enqueue(T + "add", 1)
    other = bench.queue.enqueue(T + "write", str(said), "ran")
    callback = bench.queue.enqueue(T + "add", 1, on_failure=Callback(T + "failed"), meta={"callbacks": str(said)})
    bench.ended(good)
    for job in (other, callback):
        bench.ended(job, status="failed")
        assert "is not in jobs.functions" in bench.reason(job)
    assert not said.exists()
    worker.wait_log('outcome=refused error="FunctionNotAllowed: tests.worker.tasks.write is not in jobs.functions')
    bench.publish(jobs={"payload": "Plain", "functions": (T + "add", T + "write")})
    allowed = bench.queue.enqueue(T + "write", str(said), "ran")
    bench.ended(allowed)


def test_a_payload_over_the_limit(bench: Bench) -> None:
    bench.publish()
    bench.ready(HEADGATE_PAYLOAD_LIMIT_BYTES="10000")
    big = bench.queue.enqueue(T + "add", "x" * 100_000)
    good = bench.queue.enqueue(T + "add", 1)
    bench.ended(good)
    bench.ended(big, status="failed")
    assert "PayloadTooLarge: more than 10000 bytes when unpacked" in bench.reason(big)


def test_rate_limited_jobs_wait_without_using_an_attempt(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=2)
    bench.ready()
    out = tmp_path / "out"
    job = bench.queue.enqueue(T + "limited", str(out), 0.5, 2, retry=rq.Retry(max=1))
    wait_for(lambda: out.exists() and out.read_text(), "first run")
    other = bench.queue.enqueue(T + "add", 1)
    bench.ended(job, other)
    assert job.return_value() == 3
    times = [float(line) for line in out.read_text().splitlines()]
    assert all(later - earlier >= 0.5 for earlier, later in itertools.pairwise(times))
    assert bench.redis.hget(job.key, "retries_left") == b"1"
    assert bench.redis.hget(job.key, "headgate_bounces") == b"0"


def test_a_job_that_is_limited_for_ever_fails(bench: Bench, tmp_path: Path) -> None:
    bench.publish(per_worker=1)
    bench.ready()
    job = bench.queue.enqueue(T + "limited", str(tmp_path / "out"), 0.0, 100_000)
    bench.ended(job, status="failed", seconds=60)
    assert len((tmp_path / "out").read_text().splitlines()) == 101
    assert "RateLimited" in bench.reason(job)


class FutureDocument(QueueDocument):
    """As a later version publishes it."""

    colour: str = "blue"


def test_a_document_of_a_later_version_leaves_the_last_one_in_use(bench: Bench) -> None:
    """An upgrade of the operator before the workers: jobs go on, and the revision is not acknowledged."""
    bench.publish(per_worker=1)
    worker = bench.ready()
    first = bench.queue.enqueue(T + "add", 1)
    bench.ended(first)
    before = bench.door.inspect().queues[bench.name]
    document = FutureDocument(queue=bench.name, per_worker=5, rate_per_worker=RateDocument(limit=1000, period_ms=1000))
    bench.generation += 1
    bench.declare(document, f"test/{bench.name}")
    worker.wait_log("the policy in use stays as it is .*colour")
    bench.ended(*[bench.queue.enqueue(T + "add", number) for number in range(5)])
    wait_for(lambda: bench.door.inspect().queues[bench.name].revision > before.revision, "the later revision")
    (instance,) = bench.door.inspect().queues[bench.name].instances
    assert instance.revision == before.revision
    assert len(bench.slots(worker)) == 1
    bench.publish(per_worker=2)
    wait_for(lambda: len(bench.slots(worker)) == 2, "one that it knows is in use again")


def test_what_says_nothing_new_is_published_as_the_first_version_knows_it() -> None:
    """So that an upgraded operator does not stop the workers of the version before."""
    assert "memory" not in QueueDocument(queue="q").model_dump_json()
