"""One cell: one peer, one kind of job, one fresh store; what it took and whether it may be believed."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import redis

from bench.harness.ledger import Ledger
from bench.peers.peer import Peer, Running
from tests.processes import tree
from tests.processes.store import Store

POLL_SECONDS = 0.002
SETTLE_SECONDS = 15.0


class Void(Exception):
    """The cell measured nothing that may be published: a job was lost, ran twice, or the run did not end."""


@dataclass(frozen=True)
class Load:
    """`kind` is noop or incr. The first `warm` jobs are run and not measured; 0 measures from the first job on."""

    kind: str
    jobs: int
    warm: int

    @property
    def total(self) -> int:
        return self.jobs + self.warm


@dataclass(frozen=True)
class Cell:
    """Per measured job: processor time in us of the workers and of the store, reads by the store (round trips), calls.

    `calls` are the store's commands by name, those inside scripts included.
    """

    peer: str
    kind: str
    jobs: int
    seconds: float
    worker_us: float
    store_us: float
    round_trips: float
    calls: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.jobs / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time a job of workers and store together: what a busy neighbour changes least."""
        return self.worker_us + self.store_us

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "rate": self.rate, "cpu_us": self.cpu_us}


@dataclass(frozen=True)
class _Moment:
    at: float
    done: int
    worker: float
    store: float
    reads: int
    calls: dict[str, int]


@dataclass(frozen=True)
class _Watch:
    """The parts of a running cell that are looked at."""

    client: redis.Redis
    running: Running
    store: Store
    ledger: Ledger

    def moment(self) -> _Moment:
        """Clock, count and the store's own counters within a fraction of a millisecond, then what moves more slowly."""
        with self.client.pipeline(transaction=False) as pipe:
            done, at = self.ledger.count(), time.perf_counter()
            stats, commands = pipe.info("stats").info("commandstats").execute()
        calls = {name.removeprefix("cmdstat_"): int(found["calls"]) for name, found in commands.items()}
        worker, of_store = tree.cpu_seconds(self.running.pids), tree.cpu_seconds([self.store.pid])
        return _Moment(at, done, worker, of_store, int(stats["total_reads_processed"]), calls)


RESULT_STREAMS = ("--stream-node-max-bytes", "512")
"""As docs/sizing.md says and our own stores have it: for every peer that writes RQ's results, ours and RQ's workers."""


class Bench:
    """Runs cells in `folder`. A store filled once for a peer and a load is copied for the later cells of the same."""

    def __init__(self, folder: Path, deadline_seconds: float) -> None:
        self.folder = folder
        self.deadline = deadline_seconds
        self.cells = 0
        self.allocator = ""

    def run(self, peer: Peer, load: Load) -> Cell:
        filled = self._filled(peer, load)
        self.cells += 1
        folder = self.folder / f"cell-{self.cells}"
        folder.mkdir()
        shutil.copy(filled, folder / "dump.rdb")
        ledger = Ledger(folder / "ledger", load.total)
        with Store(folder, *(RESULT_STREAMS if peer.format == "rq" else ())) as store:
            self.allocator = store.allocator
            running = peer.start(store, ledger, load, folder)
            try:
                with store.client() as client:
                    cell = self._measure(peer, load, _Watch(client, running, store, ledger))
                self._believe(peer, store, ledger, load)
            finally:
                running.stop()
        shutil.rmtree(folder)
        return cell

    def _filled(self, peer: Peer, load: Load) -> Path:
        folder = self.folder / f"filled-{peer.format}-{load.kind}-{load.total}"
        dump = folder / "dump.rdb"
        if not dump.exists():
            with Store(folder) as store:
                ledger = Ledger(folder / "ledger", load.total)
                peer.fill(store, ledger, load)
                with store.client() as client:
                    client.save()
        return dump

    def _measure(self, peer: Peer, load: Load, watch: _Watch) -> Cell:
        self._until(watch, max(1, load.warm), f"{peer.name}: first jobs")
        first = watch.moment()
        self._until(watch, load.total, f"{peer.name}: all jobs")
        last = watch.moment()
        jobs = last.done - first.done

        def each(amount: float) -> float:
            return amount / jobs

        calls = {name: each(count - first.calls.get(name, 0)) for name, count in last.calls.items()}
        return Cell(
            peer=peer.name,
            kind=load.kind,
            jobs=jobs,
            seconds=last.at - first.at,
            worker_us=each(last.worker - first.worker) * 1e6,
            store_us=each(last.store - first.store) * 1e6,
            round_trips=each(last.reads - first.reads),
            calls={name: round(count, 4) for name, count in sorted(calls.items()) if count > 0.005},
        )

    def _believe(self, peer: Peer, store: Store, ledger: Ledger, load: Load) -> None:
        wrong = ledger.violations()
        deadline = time.monotonic() + SETTLE_SECONDS
        while not wrong and (wrong := peer.unfinished(store, load)) and time.monotonic() < deadline:
            time.sleep(0.05)
            wrong = ledger.violations()
        if wrong or (wrong := ledger.violations()):
            raise Void(f"{peer.name}: {wrong}")

    def _until(self, watch: _Watch, count: int, what: str) -> None:
        deadline = time.monotonic() + self.deadline
        while watch.ledger.count() < count:
            watch.running.check()
            if time.monotonic() > deadline:
                raise Void(f"{what} not within {self.deadline:g} s")
            time.sleep(POLL_SECONDS)
