"""One store, its documents, `workers` worker processes of one queue and a record of what ran: for rates and latency."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.peers import rq_format
from bench.peers.peer import Running
from headgate.model.documents import Document
from tests.processes import worker
from tests.processes.store import Store
from tests.recorder.history import Event, Kind, of, read


class Fleet:
    """Everything in `folder`; ends with the context. `prepare` fills the store before the workers start."""

    def __init__(
        self,
        folder: Path,
        workers: int,
        *documents: Document,
        more: Mapping[str, str] | None = None,
        prepare: Callable[[Store], None] = lambda store: None,
    ) -> None:
        folder.mkdir(parents=True)
        self.record = folder / "record"
        self.record.touch()
        self.store = Store(folder / "store")
        self._folder, self._workers, self._documents, self._prepare = folder, workers, documents, prepare
        self._more = {"HEADGATE_PRELOAD": "bench.apps.stamped", "BENCH_RECORD": str(self.record), **(more or {})}

    def __enter__(self) -> Fleet:
        self.store.start()
        self._prepare(self.store)
        worker.publish(self.store.url, *self._documents)
        env = worker.environment(self.store.url, rq_format.QUEUE, more=self._more)
        self.running = Running([[str(worker.WORKER)]] * self._workers, env, self._folder)
        self.until(lambda: self.slots() > 0, 20, "workers")
        return self

    def __exit__(self, *_: object) -> None:
        self.running.stop()
        self.store.kill()

    def slots(self) -> int:
        """RQ workers registered for the queue; 0 until all worker processes have theirs."""
        with self.store.client() as client:
            names = client.smembers(f"rq:workers:{rq_format.QUEUE}")
        instances = {name.rpartition(b".")[0] for name in names}
        return len(names) if len(instances) == self._workers else 0

    def starts(self) -> list[Event]:
        return of(read(self.record), Kind.START)

    def until(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        self.wait(self.running, true, seconds, what)

    @staticmethod
    def wait(running: Running, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Until it is true; fails when a worker ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not true():
            running.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:g} s")
            time.sleep(0.02)
