"""Private memory of a slot after a thousand jobs: `python -m bench.memory`. Ours beside `rq worker-pool`.

`private` counts the pages that only this process has; `tree` is all that the worker holds (shared pages once), divided
by its slots. With `--ballast-mib` the application also brings that much data of its own, imported before the fork.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.harness import report
from bench.harness.fleet import Fleet
from bench.peers import rq_format
from bench.peers.peer import ROOT, Running
from headgate.model.documents import QueueDocument
from tests.processes import tree
from tests.processes.store import Store

GOAL_MB = 8.0
MB = 1e6
MODULE = "bench.apps.held"
JOB = f"{MODULE}.stamp"


@dataclass(frozen=True)
class Row:
    system: str
    slots: int
    private_mb: float
    largest_mb: float
    tree_mb: float


def ours(folder: Path, slots: int, jobs: int, ballast: int) -> Row:
    document = QueueDocument(queue=rq_format.QUEUE, per_worker=slots, rate_per_worker=None)
    more = {"HEADGATE_PRELOAD": MODULE, "BENCH_BALLAST_MIB": str(ballast)}
    with Fleet(folder, 1, document, more=more) as fleet:
        rq_format.fill(fleet.store, JOB, range(jobs))
        fleet.until(lambda: len(fleet.starts()) >= jobs, 120, "all jobs")
        pids = {event.pid for event in fleet.starts()}
        return _row("Headgate", slots, fleet.running.pids, pids)


def stock(folder: Path, slots: int, jobs: int, ballast: int) -> Row:
    """RQ's pool forks its workers, each of which forks a process a job; measured is the worker, between jobs."""
    folder.mkdir()
    record = folder / "record"
    with Store(folder / "store") as store:
        rq_format.fill(store, JOB, range(jobs))
        env = {"BENCH_RECORD": str(record), "BENCH_BALLAST_MIB": str(ballast)}
        command = [sys.executable, "-m", "rq.cli", "worker-pool", rq_format.QUEUE, "--url", store.url, "-q"]
        running = Running([[*command, "-n", str(slots)]], env, folder)
        try:
            Fleet.wait(running, lambda: not rq_format.unfinished(store, jobs), 300, "all jobs")
            children = set(tree.members(running.pids[0])[1:])
            return _row("rq worker-pool", slots, running.pids, children)
        finally:
            running.stop()


def _row(system: str, slots: int, roots: list[int], pids: set[int]) -> Row:
    private = [tree.memory(pid)["private"] / MB for pid in pids]
    return Row(system, slots, statistics.median(private), max(private), tree.pss(roots) / MB / slots)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--slots", default="1,10,50")
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--ballast-mib", default="0,80")
    options = parser.parse_args()
    results: list[tuple[int, Row]] = []
    with tempfile.TemporaryDirectory(prefix="headgate-memory-") as folder:
        for ballast in map(int, options.ballast_mib.split(",")):
            for slots in map(int, options.slots.split(",")):
                place = Path(folder) / f"{ballast}-{slots}"
                results.append((ballast, ours(place.with_suffix(".ours"), slots, options.jobs, ballast)))
                results.append(
                    (ballast, stock(place.with_suffix(".rq"), slots, min(options.jobs, max(20, 2 * slots)), ballast))
                )
    head = ["system", "slots", "application MiB", "private MB a slot", "largest", "whole tree MB a slot"]
    figures = [(row.private_mb, row.largest_mb, row.tree_mb) for _, row in results]
    rows = [
        [row.system, row.slots, ballast, *(f"{figure:.1f}" for figure in three)]
        for (ballast, row), three in zip(results, figures, strict=True)
    ]
    print(report.table(head, rows))
    most = max(row.private_mb for _, row in results if row.system == "Headgate")
    print(report.verdict("private MB a slot, the worst row", most, GOAL_MB, at_most=True))
    content = {"rows": [{"application_mib": ballast, **asdict(row)} for ballast, row in results]}
    path = report.save("memory", {**content, "options": vars(options), "conditions": report.conditions("")})
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
