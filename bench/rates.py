"""Are rates exact, and is all of them used? `python -m bench.rates`. 0 violations in any window, >= 99 % used.

The queue is never empty. Grants are taken from the store's own stream (its TIME), starts from the recorder (the
kernel's raw clock). A window of the limit's period may not hold more than the limit, wherever it begins. Between grant
and start lies a delay that varies, so starts may bunch by that much: the table shows it beside the exact figure.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from bench.harness import report
from bench.harness.fleet import Fleet
from bench.peers import rq_format
from headgate.model.documents import QueueDocument, RateDocument
from tests.processes import worker
from tests.recorder import windows
from tests.recorder.grants import Grants

GOAL = 0.99
LOOSE = RateDocument(limit=10_000, period_ms=100)


@dataclass(frozen=True)
class Phase:
    """`limit` starts in any `period` seconds, in force for `seconds`."""

    limit: int
    period: float
    seconds: float

    def document(self, slots: int, generation: int) -> QueueDocument:
        rate = RateDocument(limit=self.limit, period_ms=int(self.period * 1000))
        return QueueDocument(queue=rq_format.QUEUE, per_worker=slots, rate_total=rate, rate_per_worker=LOOSE)


@dataclass(frozen=True)
class Result:
    """`violations`: windows of grants above the limit. `start_short_us`: by how much the tightest limit + 1 starts were
    closer than a period, which the longest delay between grant and start, `start_delay_us`, bounds."""

    case: str
    workers: int
    grants: int
    used: float
    violations: int
    start_short_us: float
    start_delay_us: float


def run(folder: Path, phases: Sequence[Phase], workers: int, slots: int) -> list[Result]:
    """One fleet through the phases; the limit is changed live between them."""
    first = phases[0]
    with Fleet(folder, workers, first.document(slots, 1)) as fleet, Grants(fleet.store.url) as grants:
        needed = sum(phase.limit * (phase.seconds / phase.period + 2) for phase in phases)
        rq_format.fill(fleet.store, "bench.apps.stamped.stamp", range(int(needed * 1.2) + 20))
        fleet.until(lambda: len(grants.seen) > 0, 20, "the first grant")
        borders = [0]
        for number, phase in enumerate(phases):
            if number:
                worker.publish(fleet.store.url, phase.document(slots, number + 1), generation=number + 1)
                borders.append(time.time_ns())
            time.sleep(phase.seconds)
        borders.append(time.time_ns())
        with fleet.store.client() as client:
            assert client.llen(f"rq:queue:{rq_format.QUEUE}") > 0, "the queue ran empty: nothing was measured"
        offset = time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        started = {event.job: event.at + offset for event in fleet.starts()}
        starts = sorted(started.values())
        delay = max(started[grant.job] - grant.at for grant in list(grants.seen) if grant.job in started)
        changed = " -> ".join(str(phase.limit) for phase in phases) if len(phases) > 1 else ""
        return [
            _judge(phase, changed, workers, grants.times(*span), _between(starts, *span), delay)
            for phase, span in zip(phases, pairwise(borders), strict=True)
        ]


def _between(times: Sequence[int], low: int, high: int) -> list[int]:
    return [moment for moment in times if low <= moment < high]


def _judge(
    phase: Phase, changed: str, workers: int, grants: Sequence[int], starts: Sequence[int], delay: int
) -> Result:
    period = int(phase.period * 1e9)
    of_starts = windows.crowded(starts, phase.limit, period)
    return Result(
        case=f"{phase.limit} per {phase.period:g} s" + (f" ({changed})" if changed else ""),
        workers=workers,
        grants=len(grants),
        used=windows.utilisation(grants, phase.limit, period),
        violations=len(windows.crowded(grants, phase.limit, period)),
        start_short_us=max((one.short_ns for one in of_starts), default=0) / 1000,
        start_delay_us=delay / 1000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.rates", description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=20, help="periods a case lasts, at least 10 seconds")
    parser.add_argument("--workers", default="1,4", help="worker processes")
    parser.add_argument("--slots", type=int, default=4, help="of each worker")
    parser.add_argument("--cases", default="10/1,100/1,1000/1,7/3,live", help="limit/period, or live: 100 -> 20 -> 200")
    options = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="headgate-rates-") as folder:
        for case in options.cases.split(","):
            for workers in map(int, options.workers.split(",")):
                phases = _phases(case, options.windows)
                results += run(Path(folder) / f"{case.replace('/', '-')}-{workers}", phases, workers, options.slots)
                print(f"  {results[-1].case}, {workers} workers: {results[-1].used:.4f} used", flush=True)
    head = ["rate", "workers", "grants", "used", "violations", "starts closer by us", "longest delay us"]
    rows = [_row(result) for result in results]
    print("\n" + report.table(head, rows))
    print(report.verdict("violations in any window", sum(r.violations for r in results), 0, at_most=True))
    print(report.verdict("least use of what is allowed", min(r.used for r in results), GOAL))
    content = {"results": [asdict(r) for r in results], "options": vars(options), "conditions": report.conditions("")}
    print(f"written: {report.save('rates', content).relative_to(Path.cwd())}")


def _row(result: Result) -> list[object]:
    closer = f"{result.start_short_us:.0f}", f"{result.start_delay_us:.0f}"
    return [result.case, result.workers, result.grants, f"{result.used:.4f}", result.violations, *closer]


def _phases(case: str, count: int) -> list[Phase]:
    if case == "live":
        return [Phase(limit, 1.0, max(8.0, count / 3)) for limit in (100, 20, 200)]
    limit, period = case.split("/")
    return [Phase(int(limit), float(period), max(10.0, count * float(period)))]


if __name__ == "__main__":
    main()
