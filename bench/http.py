"""What limits cost a web server: `python -m bench.http`. Ours beside slowapi and limits, in front of one application.

uvicorn in one process (httptools, uvloop), 16 connections, 500 clients, three exact rules (by address, user and
header). All servers stand at once and take turns, in an order that is reversed from round to round. A cell in which an
answer was not what it had to be, or ours took another number of round trips than one, ends the bench.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench.harness import report, web
from bench.harness.ratios import interleaved, ratio
from bench.harness.web import Served, WebServer
from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, HttpRule, RateDocument
from tests.processes.store import Store

BARE, CONSTANT, OURS, DENIED, SLOWAPI = "bare", "constant headers", "Headgate", "Headgate, refusing", "slowapi"
FIXED, MOVING = "limits, fixed", "limits, moving"
KINDS = {
    BARE: "bare", CONSTANT: "constant", OURS: "headgate", DENIED: "headgate",
    SLOWAPI: "slowapi", FIXED: "limits-fixed", MOVING: "limits-moving",
}  # fmt: skip
KEPT_GOAL, SLOWAPI_GOAL, LIMITS_GOAL, P99_GOAL_MS = 0.9, 5.0, 2.0, 1.0
ROUND_TRIPS = (0.99, 1.01)
REFUSED_TRIPS = 0.02
"""Round trips a request while nearly all are refused: the first of each client, and the beats."""


def document(limit: int, period_ms: int) -> HttpDocument:
    """Three exact rules."""
    rate = RateDocument(limit=limit, period_ms=period_ms)
    rules = (
        HttpRule(name="address", rate=rate),
        HttpRule(name="user", rate=rate, key="User"),
        HttpRule(name="key", rate=rate, key="Header", header="X-Key"),
    )
    return HttpDocument(surface="api", trusted_proxies=("127.0.0.0/8",), rules=rules)


class Bench:
    """One store each for ours and for ours refusing, one for the others: their keys never meet."""

    def __init__(self, folder: Path, stack: ExitStack, names: Sequence[str]) -> None:
        self._folder = folder
        self._servers: dict[str, tuple[WebServer, Store]] = {}
        for name in names:
            store = stack.enter_context(Store(folder / f"store-{len(self._servers)}"))
            if name in (OURS, DENIED):
                self._declare(store, document(100, 1000) if name == OURS else document(5, 3_600_000))
            env = {"BENCH_LIMITER": KINDS[name], "BENCH_STORE": store.url}
            server = WebServer(folder, f"web-{len(self._servers)}", env)
            stack.callback(server.child.kill)
            self._servers[name] = server, store
            self.allocator = store.allocator
        for server, _ in self._servers.values():
            server.ready()

    @staticmethod
    def _declare(store: Store, policy: HttpDocument) -> None:
        door = Door(store.url)
        door.publish(policy, Owner(name="bench/api", uid="bench", generation=1, cluster="bench"))
        door.close()

    def cell(self, name: str, seconds: int, identities: int) -> Served:
        server, store = self._servers[name]
        return web.load(server, store, self._folder, seconds, identities)


def believe(name: str, cell: Served) -> None:
    """Every answer as it had to be, and one round trip or none."""
    if name == DENIED:
        assert cell.refused >= 0.97 * cell.requests, f"only {cell.refused} of {cell.requests} were refused"
        assert cell.scripts <= REFUSED_TRIPS, f"{cell.scripts:.4f} round trips a refused request"
        return
    assert cell.refused == 0, f"{name}: {cell.refused} of {cell.requests} answers were no success"
    if name == OURS:
        assert ROUND_TRIPS[0] <= cell.scripts <= ROUND_TRIPS[1], f"{cell.scripts:.3f} round trips a request, not one"


def measure(bench: Bench, names: Sequence[str], options: argparse.Namespace) -> dict[str, list[Served]]:
    cells: dict[str, list[Served]] = defaultdict(list)
    for name in names:  # warm: bytecode and pools
        bench.cell(name, 1, options.identities)
    while DENIED in names and (cell := bench.cell(DENIED, 1, options.identities)).refused < 0.99 * cell.requests:
        print("  using up the limits of those who will be refused", flush=True)
    for order in interleaved(names, options.rounds):
        for name in order:
            cell = bench.cell(name, options.seconds, options.identities)
            believe(name, cell)
            cells[name].append(cell)
            print(f"  {name}: {cell.rate:,.0f}/s, {cell.server_us:.0f} us", flush=True)
    return {name: cells[name] for name in names}


def show(cells: Mapping[str, Sequence[Served]]) -> str:
    bare, lines = cells[BARE], []
    for name, found in cells.items():
        middle = sorted(found, key=lambda cell: cell.rate)[len(found) // 2]
        kept = ratio([cell.rate for cell in found], [cell.rate for cell in bare])
        processor = ratio([cell.server_us for cell in bare], [cell.server_us for cell in found])
        us = [f"{value:.1f}" for value in (middle.server_us, middle.store_us)]
        times = [f"{value / 1000:.2f}" for value in (middle.p50_us, middle.p99_us)]
        lines.append([name, f"{middle.rate:,.0f}", kept, processor, *us, *times, f"{middle.scripts:.3f}"])
    head = ["limiter", "req/s", "kept", "kept by CPU", "app us", "store us", "p50 ms", "p99 ms", "scripts/req"]
    return report.table(head, lines)


def claims(cells: Mapping[str, Sequence[Served]]) -> list[str]:
    def rates(name: str) -> list[float]:
        return [cell.rate for cell in cells[name]]

    added = sorted((ours.p99_us - bare.p99_us) / 1000 for ours, bare in zip(cells[OURS], cells[BARE], strict=True))
    best = max((FIXED, MOVING), key=lambda name: sum(rates(name)))
    return [
        report.verdict(f"{OURS} / {BARE}", ratio(rates(OURS), rates(BARE)).median, KEPT_GOAL),
        report.verdict("added p99, ms", added[len(added) // 2], P99_GOAL_MS, at_most=True),
        report.verdict(f"{OURS} / {SLOWAPI}", ratio(rates(OURS), rates(SLOWAPI)).median, SLOWAPI_GOAL),
        report.verdict(f"{OURS} / {best}", ratio(rates(OURS), rates(best)).median, LIMITS_GOAL),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.http", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=5, help="a cell")
    parser.add_argument("--identities", type=int, default=500, help="clients")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headgate-http-") as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack, list(KINDS))
        cells = measure(bench, list(KINDS), options)
        text = claims(cells)
        print("\n" + show(cells))
        print("\n".join(text))
        conditions = {**report.conditions(bench.allocator), "options": str(vars(options))}
    found = {name: [{**asdict(cell), "rate": cell.rate} for cell in of_name] for name, of_name in cells.items()}
    content = {"cells": found, "claims": text, "conditions": conditions}
    print(f"written: {report.save('http', content).relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
