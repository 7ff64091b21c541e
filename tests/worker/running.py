"""A real `headgate-worker` process for a test, and what the tests ask of it and of the store."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import redis
import rq

from headgate.gates.door import Door
from headgate.gates.verbs import Owner, Published, Same
from headgate.model.documents import BudgetDocument, JobRules, QueueDocument, RateDocument
from tests.cluster.child import STARTER
from tests.stores import free_port

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 20.0
PLENTY = RateDocument(limit=10_000, period_ms=1000)
T = TypeVar("T")


def wait_for(probe: Callable[[], T], what: str, seconds: float = WAIT_SECONDS) -> T:
    """The first true answer of `probe`; AssertionError with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for: {what}")
        time.sleep(0.02)


class Worker:
    """Started in a session of its own; `stop` drains it, `kill` ends the supervisor with SIGKILL."""

    def __init__(self, url: str, queue: str, folder: Path, *, group: str = "", **environment: str) -> None:
        """`group`: the cgroup to run in, from the first instruction."""
        self.queue = queue
        self._group = group
        self.log = folder / f"worker-{queue}-{time.monotonic_ns()}.log"
        self.port = free_port()
        self._environment = {
            "HEADGATE_STORE_URL": url,
            "HEADGATE_METRICS_PORT": str(self.port),
            "HEADGATE_DRAIN_SECONDS": "10",
            "HEADGATE_PRELOAD": "tests.worker.tasks",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Worker":
        self._process = STARTER.submit(self._spawn).result()
        return self

    def _spawn(self) -> subprocess.Popen[bytes]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("HEADGATE_", "RQ_", "REDIS_"))
        }
        with self.log.open("ab") as log:
            enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self._group] if self._group else []
            return subprocess.Popen(
                [*enter, "setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "headgate_worker.main", self.queue],
                cwd=ROOT,
                env={**kept, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_log(self, pattern: str, seconds: float = WAIT_SECONDS) -> "re.Match[str]":
        try:
            return wait_for(lambda: re.search(pattern, self.text()), f"log line {pattern}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()[-4000:]}") from None

    def signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP for the whole tree (the supervisor adopts every process of it), SIGCONT at the end."""
        tree = [self.pid, *children(self.pid)]
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in tree:
                os.kill(pid, signal.SIGCONT)

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not drain:\n{self.text()[-4000:]}") from None

    def kill(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()


class Bench:
    """One store with one queue: publish its policy, enqueue, look."""

    def __init__(self, url: str, queue: str, folder: Path) -> None:
        self.url = url
        self.name = queue
        self.folder = folder
        self.redis = redis.Redis.from_url(url)
        self.door = Door(url, "rq")
        self.queue = rq.Queue(queue, connection=self.redis)
        self.generation = 0
        self.workers: list[Worker] = []

    def publish(self, *, jobs: dict[str, Any] | None = None, **fields: Any) -> None:
        """The queue's policy; limits that are not named do not bind."""
        self.generation += 1
        document = QueueDocument(
            queue=self.name, jobs=JobRules(**(jobs or {})), **{"per_worker": 2, "rate_per_worker": PLENTY, **fields}
        )
        self.declare(document, f"test/{self.name}")

    def declare(self, document: QueueDocument | BudgetDocument, name: str) -> None:
        answer = self.door.publish(document, Owner(name, name, self.generation))
        assert isinstance(answer, Published | Same), answer

    def worker(self, **environment: str) -> Worker:
        worker = Worker(self.url, self.name, self.folder, **environment).start()
        self.workers.append(worker)
        return worker

    def ready(self, **environment: str) -> Worker:
        """A worker whose slots are up."""
        worker = self.worker(**environment)
        wait_for(lambda: self.slots(worker), f"slots\n{worker.text()[-3000:]}")
        return worker

    def slots(self, worker: Worker) -> list[int]:
        """Pids of its slots."""
        return [pid for pid in children(worker.pid) if command(pid).startswith("hg-slot")]

    def ended(self, *jobs: rq.job.Job, status: str = "finished", seconds: float = WAIT_SECONDS) -> None:
        for job in jobs:
            try:
                wait_for(lambda job=job: job.get_status() == status, f"{job.id} {status}", seconds)
            except AssertionError as error:
                logs = "\n".join(worker.text()[-4000:] for worker in self.workers)
                raise AssertionError(f"{error}; it is {job.get_status()}\n{logs}") from None

    def reason(self, job: rq.job.Job) -> str:
        """Why it is in the dead set."""
        result = job.latest_result()
        assert result is not None
        return str(result.exc_string)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.door.close()
        self.redis.close()


def children(pid: int) -> list[int]:
    """Direct children, as the kernel lists them."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command(pid: int) -> str:
    """The process's own name, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
