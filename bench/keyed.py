"""One tenant's 90,000 blocked jobs ahead of another's 10,000 in the same queue: `python -m bench.keyed`.

The first tenant fills its perKey places with jobs that do not end. The other must start within a second, and from then
on a claim may cost the store no more than a millisecond at its 99th percentile. Meanwhile perKey must hold, every job
must stay where RQ's tools look for it, and `Job.cancel` and `Queue.empty` must work on what waits.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import redis
from rq import Queue
from rq.job import Job

from bench.harness import report
from bench.harness.fleet import Fleet
from bench.peers import rq_format
from bench.peers.peer import ROOT
from headgate.model.documents import QueueDocument
from tests.processes.store import Store
from tests.recorder.history import read
from tests.recorder.overlap import by, peak
from tests.recorder.runs import runs

START_GOAL_S, CLAIM_GOAL_US = 1.0, 1_000.0
CANCELED = 100
KEY = "tenant"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.keyed", description=__doc__.splitlines()[0])
    parser.add_argument("--blocked", type=int, default=90_000)
    parser.add_argument("--free", type=int, default=10_000)
    parser.add_argument("--key", choices=("meta", "field"), default="meta", help="where the jobs carry their tenant")
    parser.add_argument("--slots", type=int, default=6)
    parser.add_argument("--per-key", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headgate-keyed-") as folder:
        figures, faults = run(Path(folder), options)
    print(report.table(["figure", "value"], [[name, f"{value:,.3f}"] for name, value in figures.items()]))
    print(report.verdict("the other tenant starts, s", figures["first start, s"], START_GOAL_S, at_most=True))
    print(report.verdict("claim p99 after that, us", figures["script p99, us"], CLAIM_GOAL_US, at_most=True))
    fine = "holds   perKey; every job accounted for; cancel and empty work"
    print("\n".join(f"MISSED  {fault}" for fault in faults) or fine)
    content = {"figures": figures, "faults": faults, "options": vars(options)}
    path = report.save(f"keyed-{options.key}", {**content, "conditions": report.conditions("")})
    print(f"written: {path.relative_to(ROOT)}")
    assert not faults


def run(folder: Path, options: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    release = folder / "release"
    blocked, total = options.blocked, options.blocked + options.free
    document = QueueDocument(
        queue=rq_format.QUEUE, per_worker=options.slots, rate_per_worker=None, per_key=options.per_key, key_field=KEY
    )

    def prepare(store: Store) -> None:
        _fill(store, "hold", range(blocked), "whale", options.key)
        _fill(store, "stamp", range(blocked, total), "minnow", options.key)

    more = {"HEADGATE_PRELOAD": "bench.apps.tenants", "BENCH_RELEASE": str(release)}
    with Fleet(folder / "fleet", 1, document, more=more, prepare=prepare) as fleet, fleet.store.client() as client:
        client.config_set("latency-tracking-info-percentiles", "50 99 99.9")
        fleet.until(lambda: len(fleet.starts()) > options.per_key, 60, "a job of the other tenant")
        client.config_resetstat()
        fleet.until(lambda: len(fleet.starts()) >= options.free + options.per_key, 300, "all of the other tenant")
        latencies, calls = client.info("latencystats"), client.info("commandstats")["cmdstat_evalsha"]["calls"]
        starts = fleet.starts()
        others = [event.at for event in starts if event.key == "minnow"]
        figures = {
            "first start, s": (min(others) - min(event.at for event in starts)) / 1e9,
            "other tenant's jobs/s": len(others) / ((max(others) - min(others)) / 1e9),
            "script calls a job": calls / (options.free - 1),
            **{f"script p{part}, us": _script(latencies, f"p{part}") for part in ("50", "99", "99.9")},
        }
        faults = [
            *_per_key_held(fleet, options),
            *_accounted(client, options),
            *_removable(fleet, client, release, total),
        ]
    return figures, faults


def _fill(store: Store, job: str, numbers: range, tenant: str, where: str) -> None:
    """With the tenant in job.meta, which only a worker can read, or also in the plain field that the store reads."""
    rq_format.fill(store, f"bench.apps.tenants.{job}", numbers, meta={KEY: tenant})
    if where == "field":
        with store.client() as client, client.pipeline(transaction=False) as pipe:
            for number in numbers:
                pipe.hset(f"rq:job:job-{number}", "headgate_key", tenant)
            pipe.execute()


def _script(latencies: Mapping[str, Mapping[str, float]], percentile: str) -> float:
    """Microseconds of a script call at this percentile, by the store's own measure."""
    return float(latencies["latency_percentiles_usec_evalsha"][percentile])


def _per_key_held(fleet: Fleet, options: argparse.Namespace) -> list[str]:
    most = {key: peak(of_key) for key, of_key in by(runs(read(fleet.record)), lambda run: run.key).items()}
    return [f"{key}: {count} at once" for key, count in most.items() if count > options.per_key]


def _accounted(client: redis.Redis, options: argparse.Namespace) -> list[str]:
    """Each job in RQ's list or in a registry, and what waits says that it is queued, and where."""
    queue = Queue(rq_format.QUEUE, connection=client)
    started, finished = client.zcard(f"rq:wip:{queue.name}"), client.zcard(f"rq:finished:{queue.name}")
    faults = []
    if (queue.count, started, finished) != (options.blocked - options.per_key, options.per_key, options.free):
        faults.append(f"{queue.count} queued, {started} started, {finished} finished")
    ids = queue.get_job_ids()
    some = Job.fetch_many(ids[:: max(1, len(ids) // 200)], connection=client)
    faults += [f"{job} waits and is not queued" for job in some if job is None or not job.is_queued]
    if queue.get_job_position(ids[-1]) != len(ids) - 1:
        faults.append("the last waiting job has another position")
    return faults


def _removable(fleet: Fleet, client: redis.Redis, release: Path, total: int) -> list[str]:
    """Cancel some of the waiting, empty the queue, and see the next job start all the same."""
    queue = Queue(rq_format.QUEUE, connection=client)
    before = queue.get_job_ids()
    chosen = before[:: max(1, len(before) // CANCELED)]
    for job in Job.fetch_many(chosen, connection=client):
        job.cancel()
    faults = [] if queue.get_job_ids() == [job for job in before if job not in set(chosen)] else ["cancel left traces"]
    canceled = sum(job.is_canceled for job in Job.fetch_many(chosen, connection=client))
    if canceled != len(chosen):
        faults.append(f"{canceled} of {len(chosen)} are canceled")
    queue.empty()
    if queue.count:
        faults.append(f"{queue.count} left after empty")
    ran = len(fleet.starts())
    rq_format.fill(fleet.store, "bench.apps.tenants.stamp", range(total, total + 1), meta={KEY: "minnow"})
    fleet.until(lambda: len(fleet.starts()) > ran, 10, "a job after the queue was emptied")
    release.touch()
    fleet.until(lambda: client.zcard(f"rq:wip:{queue.name}") == 0, 20, "the end of the held jobs")
    if [event.job for event in fleet.starts()[ran:]] != [f"job-{total}"]:
        faults.append("a job that was canceled or emptied away ran")
    return faults


if __name__ == "__main__":
    main()
