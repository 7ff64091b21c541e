"""From enqueue to the first line of user code when nothing else is going on: `python -m bench.latency`.

One producer, plain `Queue.enqueue` over loopback, one job at a time with a pause after it. The clock starts before the
call, so RQ's own enqueue (two round trips) is inside; the column `from its end` is what the worker adds. The first job
after a long pause is measured too: an idle worker that had gone to sleep would show there.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from rq import Queue

from bench.harness import report
from bench.harness.fleet import Fleet
from bench.harness.ratios import interleaved
from bench.peers import rq_format
from headgate.model.documents import QueueDocument
from tests.recorder.history import clock

WARM = 20
STAMP = "bench.apps.stamped.stamp"
GOAL_P50_MS, GOAL_P99_MS = 1.5, 8.0


def one_round(folder: Path, slots: int, jobs: int, pause: float) -> tuple[list[float], list[float]]:
    """Milliseconds from before the enqueue, and from after it, to the start of the job's code."""
    document = QueueDocument(queue=rq_format.QUEUE, per_worker=slots, rate_per_worker=None)
    with Fleet(folder, 1, document) as fleet, fleet.store.client() as client:
        queue = Queue(rq_format.QUEUE, connection=client)
        rq_format.fill(fleet.store, STAMP, range(-WARM, 0))
        fleet.until(lambda: len(fleet.starts()) == WARM, 20, "the first jobs")
        called: dict[str, tuple[int, int]] = {}
        for number in range(jobs):
            time.sleep(pause)
            before = clock()
            job = queue.enqueue(STAMP, number, job_id=f"job-{number}")
            called[job.id] = (before, clock())
        fleet.until(lambda: len(fleet.starts()) >= jobs + WARM, 30, "all jobs")
        started = {event.job: event.at for event in fleet.starts()}
        assert len(fleet.starts()) == len(started) == jobs + WARM, "a job was lost or ran twice"
    from_call = [(started[job] - before) / 1e6 for job, (before, _) in called.items()]
    from_end = [(started[job] - after) / 1e6 for job, (_, after) in called.items()]
    return from_call, from_end


def percentile(values: list[float], part: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[int(part * 10) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.latency", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--pause-ms", default="5,100", help="pauses between jobs")
    parser.add_argument("--slots", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    pauses = options.pause_ms.split(",")
    calls: dict[str, list[float]] = {pause: [] for pause in pauses}
    ends: dict[str, list[float]] = {pause: [] for pause in pauses}
    with tempfile.TemporaryDirectory(prefix="headgate-latency-") as folder:
        for number, order in enumerate(interleaved(pauses, options.rounds)):
            for pause in order:
                jobs = max(30, int(options.jobs * min(1.0, 20 / float(pause))))
                found = one_round(Path(folder) / f"{pause}-{number}", options.slots, jobs, float(pause) / 1000)
                calls[pause] += found[0]
                ends[pause] += found[1]
    rows = []
    for pause in pauses:
        figures = [percentile(calls[pause], part) for part in (50, 90, 99, 99.9)]
        rows.append(
            [f"{pause} ms", len(calls[pause]), *(f"{ms:.2f}" for ms in figures), f"{percentile(ends[pause], 50):.2f}"]
        )
    print(report.table(["pause", "jobs", "p50 ms", "p90", "p99", "p99.9", "p50 from its end"], rows))
    for pause in pauses:
        p50, p99 = percentile(calls[pause], 50), percentile(calls[pause], 99)
        print(report.verdict(f"enqueue to start, pause {pause} ms, p50 ms", p50, GOAL_P50_MS, at_most=True))
        print(report.verdict(f"enqueue to start, pause {pause} ms, p99 ms", p99, GOAL_P99_MS, at_most=True))
    content = {"from_call_ms": calls, "from_end_ms": ends, "options": vars(options)}
    path = report.save("latency", {**content, "conditions": report.conditions("")})
    print(f"written: {path.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
