"""The checks of the benches fail when they should: a job lost or run twice, books that do not close, a dead worker."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.harness.cell import Bench, Load, Void
from bench.harness.ledger import Ledger
from bench.harness.ratios import interleaved, ratio
from bench.harness.report import verdict
from bench.peers.peer import Running, environment
from tests.processes.store import Store

TICKER = """
import sys, time
from bench.apps.jobs import ledger
for number in map(int, sys.argv[1].split(",")):
    ledger[number] += 1
    time.sleep(0.005)
time.sleep(60 if len(sys.argv) < 3 else 0)
"""


@dataclass(frozen=True)
class Fake:
    """A system that runs the jobs it is told to run and says of its books what it is told to say."""

    runs: tuple[int, ...]
    books: str = ""
    ends: bool = False
    name: str = "fake"
    format: str = "fake"

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        """Nothing to enqueue."""

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        arguments = [",".join(map(str, self.runs)), *(["ends"] if self.ends else [])]
        return Running([[sys.executable, "-c", TICKER, *arguments]], environment(store, ledger), folder)

    def unfinished(self, store: Store, load: Load) -> str:
        return self.books


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("bench.harness.cell.SETTLE_SECONDS", 0.2)
    return Bench(tmp_path, deadline_seconds=4)


LOAD = Load("noop", jobs=40, warm=10)
ALL = tuple(range(50))


@pytest.mark.store
def test_a_sound_cell_is_measured_after_the_warm_jobs(bench: Bench) -> None:
    cell = bench.run(Fake(ALL), LOAD)
    assert 30 <= cell.jobs <= 40
    assert 0 < cell.rate < 250
    assert cell.worker_us > 0


@pytest.mark.store
@pytest.mark.parametrize(
    ("fake", "why"),
    [
        (Fake(ALL[:-1]), "all jobs not within"),
        (Fake((*ALL[:-1], 3, 49)), "1 ran more than once"),
        (Fake(ALL, books="2 not finished"), "2 not finished"),
    ],
)
def test_a_cell_that_may_not_be_believed_is_void(bench: Bench, fake: Fake, why: str) -> None:
    with pytest.raises(Void, match=why):
        bench.run(fake, LOAD)


@pytest.mark.store
def test_a_worker_that_ends_by_itself_is_an_error(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="ended with code 0"):
        bench.run(Fake(ALL[:20], ends=True), LOAD)


def test_a_drift_over_the_rounds_cancels_out_of_the_ratio() -> None:
    found = ratio([100.0, 200.0, 400.0], [50.0, 100.0, 200.0])
    assert (found.median, found.low, found.high) == (2.0, 2.0, 2.0)


def test_each_round_has_all_peers_and_the_next_is_its_mirror() -> None:
    orders = interleaved(["a", "b", "c"], 4)
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert orders[1] == orders[0][::-1]
    assert orders[3] == orders[2][::-1]


def test_a_missed_goal_says_so() -> None:
    assert verdict("x", 0.9, 1.0).startswith("MISSED")
    assert verdict("x", 0.9, 1.0, at_most=True).startswith("holds")
