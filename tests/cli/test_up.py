"""`headgate up` as a process of its own, on a real store, with a tiny application that knows plain RQ only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import redis
import rq

from headgate.gates.door import Door

pytestmark = [pytest.mark.store, pytest.mark.slow]
HEADGATE = Path(sys.executable).with_name("headgate")
DEADLINE_SECONDS = 60.0
APP = """
import os, time

def work(journal, seconds):
    with open(journal, "a") as file:
        file.write(f"start {time.monotonic()} {os.getppid()}\\n")
    time.sleep(seconds)
    with open(journal, "a") as file:
        file.write(f"end {time.monotonic()} {os.getppid()}\\n")
"""
POLICY = """\
apiVersion: headgate.dev/v1alpha1
kind: QueuePolicy
metadata: {name: %s}
spec:
  concurrency: {perWorker: 3, total: %d}
  workers: {drainSeconds: 30}
"""


HTTP = """\
apiVersion: headgate.dev/v1alpha1
kind: HTTPPolicy
metadata: {name: api}
spec:
  rules: [{name: general, rate: {limit: %d, periodSeconds: 900}}]
"""


class Up:
    """One `headgate up`: its process, what it has printed so far, and its store."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.log = folder / "up.log"
        environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        environment |= {"TMPDIR": str(folder / "tmp"), "COLUMNS": "200"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(HEADGATE), "up", "policies", "--app", "app", *options],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.tree: set[psutil.Process] = set()

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def wait_for(self, holds: Callable[[], object], what: str) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            self.look_around()
            if time.monotonic() > end or self.process.poll() not in (None, 0):
                pytest.fail(f"{what}: not within {DEADLINE_SECONDS} s\n" + "\n".join(self.lines[-40:]))
            time.sleep(0.05)

    def says(self, words: str) -> None:
        self.wait_for(lambda: any(words in line for line in self.lines), f"says {words!r}")

    def look_around(self) -> None:
        """Remember every process that it started, directly or not."""
        try:
            self.tree |= set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return

    def survivors(self) -> list[psutil.Process]:
        return [child for child in self.tree if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    def signal(self, number: signal.Signals) -> None:
        self.look_around()
        self.process.send_signal(number)

    def ends(self) -> int:
        """Its exit code; whatever it started has ended too."""
        code = self.process.wait(DEADLINE_SECONDS)
        assert self.survivors() == []
        assert list((self.folder / "tmp").iterdir()) == []
        return code

    def policy(self, name: str, total: int) -> None:
        """As an editor saves: a new file takes the place of the old one."""
        new = self.folder / "policies" / f".{name}.new"
        new.write_text(POLICY % (name, total))
        new.rename(self.folder / "policies" / f"{name}.yaml")

    def enqueue(self, url: str, number: int, seconds: float, queue: str = "emails") -> list[rq.job.Job]:
        connection = redis.Redis.from_url(url)
        return [
            rq.Queue(queue, connection=connection).enqueue("tiny.work", str(self.journal), seconds)
            for _ in range(number)
        ]

    def events(self) -> list[tuple[str, float, int]]:
        """(start or end, monotonic seconds, pid of the slot's parent) of every job."""
        if not self.journal.exists():
            return []
        words = [line.split() for line in self.journal.read_text().splitlines()]
        return [(what, float(at), int(parent)) for what, at, parent in words]

    def ended(self, number: int) -> Callable[[], bool]:
        return lambda: sum(what == "end" for what, _, _ in self.events()) == number

    def most_at_once(self, since: float = 0.0) -> int:
        running = most = 0
        for what, at, _ in sorted(self.events(), key=lambda event: event[1]):
            running += 1 if what == "start" else -1
            if at >= since and what == "start":
                most = max(most, running)
        return most


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []
    for name in ("policies", "app", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "app" / "tiny.py").write_text(APP)
    (tmp_path / "policies" / "emails.yaml").write_text(POLICY % ("emails", 2))

    def start(*options: str) -> Up:
        started.append(Up(tmp_path, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.look_around()
            one.process.kill()
            one.process.wait()
        for child in one.survivors():
            child.kill()


def embedded_url(up: Up) -> str:
    up.says("REDIS_URL=")
    return next(line for line in up.lines if "REDIS_URL=" in line).rpartition("REDIS_URL=")[2]


def test_plain_jobs_run_on_the_embedded_store_and_ctrl_c_leaves_nothing(up: Callable[..., Up]) -> None:
    running = up("--before", "10")
    url = embedded_url(running)
    assert running.lines[0] == "at most 2 jobs at once (before: 1 x 10 = 10)"
    running.enqueue(url, 12, 0.1)
    running.wait_for(running.ended(12), "12 jobs end")
    assert running.most_at_once() == 2
    running.says("1 queue is served, all limits are in force")
    running.says("emails-")
    running.signal(signal.SIGINT)
    assert running.ends() == 0
    assert running.lines[-1] == "drained, bye"
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_an_edited_file_is_in_force_without_a_restart(up: Callable[..., Up], valkey_url: str) -> None:
    running = up("--store", valkey_url)
    running.enqueue(valkey_url, 40, 0.2)
    running.wait_for(lambda: running.most_at_once() == 2, "two jobs at once")
    running.policy("emails", 1)
    running.says("at most 1 jobs at once")
    running.wait_for(lambda: held(valkey_url) <= 1, "one is left")
    since = time.monotonic()
    done = sum(what == "end" for what, _, _ in running.events())
    running.wait_for(lambda: running.ended(done + 4)() or running.ended(40)(), "four more end")
    assert running.most_at_once(since) == 1
    running.policy("emails", 3)
    running.wait_for(lambda: running.most_at_once(since) == 3, "three jobs at once")
    assert len({parent for _, _, parent in running.events()}) == 1
    running.signal(signal.SIGTERM)
    assert running.ends() == 0


def held(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.zcard("rq:hg:q:emails:held"))


def test_a_broken_file_beside_good_ones_is_one_sentence_and_changes_nothing(
    up: Callable[..., Up], valkey_url: str
) -> None:
    running = up("--store", valkey_url)
    running.enqueue(valkey_url, 2, 0.0)
    running.wait_for(running.ended(2), "two jobs end")
    (running.folder / "policies" / "bad.yaml").write_text("kind: QueuePolicy\n  metadata: [")
    running.says("bad.yaml:2: this is no YAML")
    (running.folder / "policies" / "emails.yaml").write_text((POLICY % ("emails", 5)).replace("total", "totl"))
    running.says("emails.yaml:5: spec.concurrency.totl: unknown field, did you mean spec.concurrency.total?")
    running.enqueue(valkey_url, 8, 0.2)
    running.wait_for(running.ended(10), "eight more jobs end")
    assert running.most_at_once() <= 2
    (running.folder / "policies" / "bad.yaml").unlink()
    running.policy("emails", 3)
    running.says("all files are readable again")
    running.signal(signal.SIGINT)
    assert running.ends() == 0


def test_http_limits_are_published_changed_and_taken_back_with_their_file(
    up: Callable[..., Up], valkey_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "policies" / "api.yaml"
    file.write_text(HTTP % 100)
    running = up("--store", valkey_url)
    running.says("api: general 100 requests in any 15 min for each address")
    running.says("1 queue is served, 1 HTTP surface is published, all limits are in force")
    with closing(Door(valkey_url)) as door:

        def limit() -> int:
            found = door.read_http("api")
            return found[1].rules[0].rate.limit if found and found[1].rules[0].rate else 0

        assert limit() == 100
        file.write_text(HTTP % 5)
        running.says("api: general 5 requests in any 15 min for each address")
        running.wait_for(lambda: limit() == 5, "the new limit is in the store")
        file.write_text(HTTP % 0)
        running.says("api.yaml:5: spec.rules[0].rate.limit: 0 is not allowed")
        assert limit() == 5
        file.unlink()
        running.wait_for(lambda: door.read_http("api") is None, "nothing limits it any more")
    running.signal(signal.SIGTERM)
    assert running.ends() == 0


def test_a_deleted_file_ends_its_workers_and_starts_nothing_more(up: Callable[..., Up], valkey_url: str) -> None:
    running = up("--store", valkey_url)
    running.policy("reports", 1)
    running.enqueue(valkey_url, 1, 0.0, "reports")
    running.wait_for(running.ended(1), "a job of reports ends")
    (running.folder / "policies" / "reports.yaml").unlink()
    running.says("QueuePolicy reports deleted")
    running.wait_for(lambda: any(line.startswith("reports-") and "bye" in line for line in running.lines), "it drains")
    running.enqueue(valkey_url, 1, 0.0, "reports")
    running.enqueue(valkey_url, 1, 0.0)
    running.wait_for(running.ended(2), "a job of emails ends")
    with redis.Redis.from_url(valkey_url) as client:
        assert client.llen("rq:queue:reports") == 1
        running.wait_for(lambda: client.hkeys("rq:hg:owners") == [b"queue/emails"], "its limits are taken back")
    running.signal(signal.SIGINT)
    assert running.ends() == 0


def test_ctrl_c_lets_jobs_end_and_a_second_one_hands_them_back(up: Callable[..., Up], valkey_url: str) -> None:
    running = up("--store", valkey_url)
    (short,) = running.enqueue(valkey_url, 1, 1.5)
    (long,) = running.enqueue(valkey_url, 1, 600)
    running.wait_for(lambda: len(running.events()) == 2, "both start")
    running.signal(signal.SIGINT)
    running.says("draining: nothing new starts")
    running.wait_for(running.ended(1), "the short one ends")
    running.wait_for(lambda: short.get_status(refresh=True) == "finished", "it is finished")
    assert running.process.poll() is None
    running.signal(signal.SIGINT)
    assert running.ends() == 0
    assert long.get_status(refresh=True) == "queued"
    with redis.Redis.from_url(valkey_url) as client:
        assert client.lrange("rq:queue:emails", 0, -1) == [long.id.encode()]


def test_kill_minus_nine_leaves_no_process(up: Callable[..., Up], valkey_url: str) -> None:
    running = up()
    running.enqueue(embedded_url(running), 1, 600)
    running.wait_for(lambda: running.events(), "it starts")
    running.signal(signal.SIGKILL)
    running.process.wait()
    end = time.monotonic() + 10
    while running.survivors() and time.monotonic() < end:
        time.sleep(0.05)
    assert running.survivors() == []


def test_a_companion_gets_the_store_and_is_stopped(up: Callable[..., Up], valkey_url: str) -> None:
    program = (
        "import os, sys, time; print(os.environ['REDIS_URL'], os.environ['RQ_KEY_PREFIX'], flush=True); time.sleep(600)"
    )
    running = up("--store", valkey_url, "--run", f'python -c "{program}"')
    running.says(f"| {valkey_url} rq")
    running.says("1 queue is served")
    running.signal(signal.SIGINT)
    assert running.ends() == 0


def test_an_embedded_store_that_dies_ends_the_rest_with_its_reason(up: Callable[..., Up]) -> None:
    running = up()
    embedded_url(running)
    running.says("policy in use")
    running.look_around()
    (store,) = [child for child in running.tree if "valkey-server" in child.name()]
    store.kill()
    assert running.process.wait(60) == 1
    running.says("the embedded store ended with exit code -9")


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--store", "redis://127.0.0.1:1"], 1, "127.0.0.1:1"),
        (["--store", "127.0.0.1:6379"], 2, "a store's URL begins with redis://"),
        (["--store", "redis://127.0.0.1:1", "--data", "d"], 2, "--data is for the embedded store"),
        (["--scope", "A B"], 2, "--scope A B: lower-case letters"),
        (["--app", "nowhere"], 2, "--app nowhere: no such folder"),
        (["--run", "no-such-program --x"], 2, "--run no-such-program --x: there is no program no-such-program"),
    ],
)
def test_what_cannot_start_says_why_in_one_sentence(
    up: Callable[..., Up], options: list[str], code: int, sentence: str
) -> None:
    running = up(*options)
    assert running.ends() == code
    assert sentence in running.lines[-1]


def test_an_evicting_store_is_refused(up: Callable[..., Up], valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            running = up("--store", valkey_url)
            assert running.ends() == 1
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert "maxmemory-policy of the store is allkeys-lru" in running.lines[-1]


def test_workers_come_with_a_backlog_and_the_idle_ones_go(up: Callable[..., Up], valkey_url: str) -> None:
    """Six places are two workers of three slots. Saving a file leaves the number that autoscaling wrote."""
    running = up("--store", valkey_url)
    rules = "{maxReplicas: 4, targetBacklogPerSlot: 2, scaleDownStabilizationSeconds: %d}"
    text = (POLICY % ("emails", 6)).replace("drainSeconds: 30", f"drainSeconds: 30, autoscaling: {rules}")
    (running.folder / "policies" / "emails.yaml").write_text(text % 3600)
    running.says("at most 6 jobs at once")
    running.enqueue(valkey_url, 30, 0.3)
    running.wait_for(lambda: len(workers(valkey_url)) == 2, "two workers")
    running.wait_for(running.ended(30), "the backlog is done")
    running.enqueue(valkey_url, 1, 40.0)
    running.wait_for(lambda: any(workers(valkey_url).values()), "the long job runs")
    busy = next(pod for pod, jobs in workers(valkey_url).items() if jobs)
    (running.folder / "policies" / "emails.yaml").write_text(text % 5)
    running.wait_for(lambda: len(workers(valkey_url)) == 1, "the idle one went")
    assert workers(valkey_url) == {busy: 1}
    assert "ScaleFight" not in running.log.read_text()
    out, back = (line for line in running.lines if "Workers from" in line)
    assert out.startswith("QueuePolicy emails: Workers from 1 to 2: ")
    assert back == "QueuePolicy emails: Workers from 2 to 1: 0 jobs wait, 1 run."
    running.signal(signal.SIGINT)
    running.says("draining: nothing new starts")
    running.signal(signal.SIGINT)
    assert running.ends() == 0


def workers(url: str) -> dict[str, int]:
    """Pod -> how many jobs it has in hand, by what it told the store last."""
    with closing(Door(url)) as door:
        queue = door.inspect().queues.get("emails")
    return {instance.pod: instance.busy for instance in queue.instances} if queue else {}
