"""The story's world with real parts: a store, the example's queues and producer, and workers of either kind.

`Rq` serves the nine queues as the story's company did (nine workers of ten), `Headgate` by the example's policies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rq import Queue
from rq.job import Job

from tests.processes import tree, worker
from tests.processes.store import Store
from tests.recorder.history import Event, Kind, Writer, clock, of, parse, read

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "examples" / "taskforce"
PROGRAMS = Path(sys.executable).parent
QUEUES = ("campaigns", "follow-ups", "emails", "snoozed", "sync", "imports", "exports", "analytics", "webhooks")
STOP_SECONDS = 30.0


class World:
    """A store and a record in `folder`; processes that are started here end with the context."""

    def __init__(self, folder: Path, *, speed: float = 1.0, store: Store | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.record = folder / "record"
        self.record.touch()
        self.store = store or Store(folder / "store")
        self.writer = Writer(self.record)
        self._tail = self.record.open()
        self._rest = ""
        self._open: dict[int, Event] = {}
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._others: list[subprocess.Popen[bytes]] = []
        self._env = {"TASKFORCE_RECORD": str(self.record), "TASKFORCE_SPEED": str(speed)}

    def __enter__(self) -> World:
        self.store.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers.values(), *self._others]:
            tree.end(process.pid)
            process.wait()
        self._tail.close()
        self.writer.close()
        self.store.kill()

    # ---- who works ----

    def publish(self, policies: Path = EXAMPLE / "policies") -> None:
        """Put the example's policies in force, as a company without a cluster does."""
        command = [str(PROGRAMS / "headgate"), "publish", str(policies), "--store", self.store.url]
        subprocess.run(command, check=True, capture_output=True)

    def serve(self, queue: str, *, name: str = "", url: str = "", **more: str) -> None:
        """A headgate-worker for one queue, instead of the one of this name that there was."""
        env = {"HEADGATE_PRELOAD": "taskforce.tasks", **self._env, **more}
        complete = worker.environment(url or self.store.url, queue, paths=[EXAMPLE, ROOT], more=env)
        self._work(name or queue, [str(worker.WORKER)], complete)

    def serve_by_rq(self, queue: str, processes: int) -> None:
        """Stock RQ: a pool of forking workers, and its scheduler."""
        command = [str(PROGRAMS / "rq"), "worker-pool", queue, "--url", self.store.url, "-n", str(processes), "-q"]
        env = {**os.environ, **self._env, "PYTHONPATH": str(EXAMPLE)}
        self._work(queue, command, env)

    def _work(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        if name in self.workers:
            tree.end(self.workers[name].pid)
            self.workers[name].wait()
        self.workers[name] = self._start(f"worker-{name}", command, env)

    # ---- who asks ----

    def produce(self, rate: float, jobs: int, seed: int = 1) -> subprocess.Popen[bytes]:
        """The example's plain RQ producer, in a process of its own."""
        options = ["--url", self.store.url, "--rate", f"{rate:g}", "--jobs", str(jobs), "--seed", str(seed)]
        env = {**os.environ, **self._env, "PYTHONPATH": str(EXAMPLE)}
        process = self._start("producer", [sys.executable, "-m", "taskforce.producer", *options], env)
        self._others.append(process)
        return process

    def _start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=env,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    # ---- what goes wrong ----

    def kill(self, pids: Sequence[int]) -> None:
        """SIGKILL, and say so in the record once they are gone: until then they may still write a line."""
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        killed = clock()
        until(lambda: not any(tree.alive(pid) for pid in pids), 10, "they are gone", every=0.001)
        last = {event.pid: event.at for event in self.events()}
        for pid in pids:
            self.writer.add(Kind.KILLED, pid=pid, at=max(killed, last.get(pid, 0)))

    def kill_worker(self, queue: str) -> None:
        """All its processes at one instant, while a job runs in one of them."""
        until(lambda: self.running(queue), 20, f"a job of {queue} runs", every=0.002)
        self.kill(tree.freeze(self.workers[queue].pid))

    def stop_workers(self) -> dict[str, int]:
        """TERM to all, and their exit codes."""
        for process in self.workers.values():
            process.send_signal(signal.SIGTERM)
        return {queue: process.wait(STOP_SECONDS) for queue, process in self.workers.items()}

    # ---- what is seen ----

    def events(self, *kinds: Kind) -> list[Event]:
        events = read(self.record)
        return of(events, *kinds) if kinds else events

    def slots(self) -> int:
        """Workers in RQ's eyes."""
        with self.store.client() as client:
            return int(client.scard("rq:workers"))

    def acknowledged(self) -> int:
        """How many enqueues the producer has seen succeed."""
        return self.record.read_bytes().count(b"\nA ") + self.record.read_bytes().startswith(b"A ")

    def running(self, queue: str) -> list[Event]:
        """Starts without an end so far, newest last. Reads on from where it stopped: it must be quicker than a job."""
        *lines, self._rest = (self._rest + self._tail.read()).split("\n")
        for line in lines:
            event = parse(line)
            if event.kind is Kind.START:
                self._open[event.pid] = event
            elif event.kind in (Kind.END, Kind.KILLED):
                self._open.pop(event.pid, None)
        return [event for event in self._open.values() if event.queue == queue]

    def states(self, jobs: Sequence[str]) -> dict[str, str]:
        """Each job's state in RQ's words."""
        with self.store.client() as client:
            found = Job.fetch_many(jobs, connection=client)
        return {job.id: str(job.get_status(refresh=False).value) for job in found if job is not None}

    def left(self) -> dict[str, int]:
        """What is not over yet in all queues: queued, scheduled (retries), started."""
        with self.store.client() as client:
            queues = [Queue(name, connection=client) for name in QUEUES]
            return {
                "queued": sum(queue.count for queue in queues),
                "scheduled": sum(client.zcard(f"rq:scheduled:{name}") for name in QUEUES),
                "started": sum(client.zcard(f"rq:wip:{name}") for name in QUEUES),
            }


def until(true: Callable[[], bool], seconds: float, what: str, every: float = 0.05) -> None:
    """Wait, or fail with what did not come about."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
