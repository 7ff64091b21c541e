"""Jobs a second, and what each costs: `python -m bench.throughput`. Ours beside RQ, Huey, taskiq and BullMQ.

All rows of a table run in every round, in an order that is reversed from round to round, each in a store of its own.
A cell in which a job did not run exactly once, or whose peer's own books disagree, is void and ends the bench.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness import report
from bench.harness.cell import Bench, Cell, Load
from bench.harness.ratios import Ratio, interleaved, ratio
from bench.peers import bullmq
from bench.peers.headgate_peer import Headgate
from bench.peers.huey_peer import Huey
from bench.peers.peer import Peer
from bench.peers.rq_workers import RqWorkers
from bench.peers.taskiq_peer import Taskiq

ROUND_TRIPS = (0.98, 1.05)
"""Script calls a job in every cell of ours: one, and what the supervisor's renewals add."""


@dataclass(frozen=True)
class Row:
    """A peer with the load that it can finish in seconds: slow ones get fewer jobs, rates do not depend on it."""

    peer: Peer
    load: Load


@dataclass(frozen=True)
class Claim:
    """`ours` over `theirs` in jobs a second is at least `goal`."""

    ours: str
    theirs: str
    goal: float


@dataclass(frozen=True)
class Table:
    title: str
    rows: Sequence[Row]
    claims: Sequence[Claim]


def steady(kind: str, options: argparse.Namespace, bull: bool) -> Table:
    """Warm workers. Claims only for the no-op: a job of its own work hides the system's."""
    n = options.slots
    ours, off, huey = Headgate(n), Headgate(n, gates=False), Huey(n)
    forking, simple = RqWorkers("Worker", n), RqWorkers("SimpleWorker", n)
    streams, lists = Taskiq("streams", n), Taskiq("lists", n)
    load = Load(kind, options.jobs, options.warm)
    slow = Load(kind, max(100, options.jobs // 60), max(50, options.jobs // 120))
    medium = Load(kind, max(200, options.jobs // 12), max(100, options.jobs // 24))
    fast: list[Peer] = [ours, off, Headgate(2 * n), huey, streams, lists]
    claims = [
        Claim(ours.name, forking.name, 30),
        Claim(ours.name, simple.name, 6),
        Claim(ours.name, huey.name, 2),
        Claim(ours.name, streams.name, 2),
        Claim(ours.name, lists.name, 2),
        Claim(ours.name, off.name, 0.8),
    ]
    if bull:
        fast.append(bullmq.BullMq())
        claims.append(Claim(ours.name, fast[-1].name, 0.6))
    rows = [*(Row(peer, load) for peer in fast), Row(simple, medium), Row(forking, slow)]
    return Table(f"{kind}, warm", rows, claims if kind == "noop" else [])


def cold(options: argparse.Namespace, bull: bool) -> Table:
    """From the first job after the start: what V8 does before it is warm."""
    load = Load("noop", options.cold_jobs, 0)
    peers: list[Peer] = [Headgate(options.slots), *([bullmq.BullMq()] if bull else [])]
    return Table("noop, cold", [Row(peer, load) for peer in peers], [])


def measure(table: Table, bench: Bench, rounds: int) -> dict[str, list[Cell]]:
    rows = {row.peer.name: row for row in table.rows}
    cells: dict[str, list[Cell]] = defaultdict(list)
    for order in interleaved(list(rows), rounds):
        for name in order:
            cell = bench.run(rows[name].peer, rows[name].load)
            _one_round_trip(cell)
            cells[name].append(cell)
            print(f"  {name}: {cell.rate:,.0f}/s", flush=True)
    return {name: cells[name] for name in rows}


def _one_round_trip(cell: Cell) -> None:
    if cell.peer.startswith("Headgate"):
        scripts = cell.calls.get("evalsha", 0.0)
        assert ROUND_TRIPS[0] <= scripts <= ROUND_TRIPS[1], f"{cell.peer}: {scripts:.3f} script calls a job, not one"


def show(table: Table, cells: dict[str, list[Cell]]) -> tuple[str, dict[str, Ratio]]:
    first = table.rows[0].peer.name
    base = cells[first]
    lines = []
    for name, of_peer in cells.items():
        middle = sorted(of_peer, key=lambda cell: cell.rate)[len(of_peer) // 2]
        relative = ratio([cell.rate for cell in of_peer], [cell.rate for cell in base])
        processor = ratio([cell.cpu_us for cell in of_peer], [cell.cpu_us for cell in base])
        costs = [f"{us:.1f}" for us in (middle.worker_us, middle.store_us, middle.cpu_us)]
        figures = [middle.jobs, f"{middle.rate:,.0f}", relative, *costs, f"{processor.median:.2f}"]
        lines.append([name, *figures, f"{middle.round_trips:.2f}"])
    head = ["peer", "jobs", "jobs/s", f"x {first}", "worker us", "store us", "CPU us/job", "x CPU", "reads/job"]
    text = [f"\n{table.title}", report.table(head, lines)]
    claims = {}
    for claim in table.claims:
        name = f"{claim.ours} / {claim.theirs}"
        claims[name] = ratio([c.rate for c in cells[claim.ours]], [c.rate for c in cells[claim.theirs]])
        text.append(report.verdict(name, claims[name].median, claim.goal))
    return "\n".join(text), claims


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=24_000, help="measured jobs of the fast peers, after --warm")
    parser.add_argument("--warm", type=int, default=4_000, help="jobs run before measuring")
    parser.add_argument("--cold-jobs", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slots", type=int, default=5, help="processes of ours and of each peer but BullMQ")
    parser.add_argument("--tables", default="noop,incr,cold", help="which of noop, incr, cold")
    parser.add_argument("--deadline", type=float, default=120, help="seconds a cell may take")
    options = parser.parse_args()
    missing = bullmq.install()
    if missing:
        print(f"no BullMQ rows: {missing}")
    wanted = options.tables.split(",")
    tables = [steady(kind, options, not missing) for kind in ("noop", "incr") if kind in wanted]
    tables += [cold(options, not missing)] if "cold" in wanted else []
    saved: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        bench = Bench(Path(folder), options.deadline)
        for table in tables:
            cells = measure(table, bench, options.rounds)
            text, claims = show(table, cells)
            print(text, flush=True)
            saved[table.title] = {
                "cells": {name: [cell.as_json() for cell in of_peer] for name, of_peer in cells.items()},
                "claims": {name: [found.median, found.low, found.high] for name, found in claims.items()},
            }
    saved["conditions"] = {**report.conditions(bench.allocator), "options": str(vars(options))}
    print(f"\nwritten: {report.save('throughput', saved).relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
