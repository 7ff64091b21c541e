"""`make story`: the same evening twice, as it was and with the policies, told by the recorder alone.

Before: nine stock RQ workers of ten processes each, so ninety jobs at once. After: nine Headgate workers with the
example's policies. Both get the same jobs by plain rq, the same `kill -9` of one job's process and of one whole worker
(which is started again at once, as any supervisor does), and thirty seconds to get over it.

Then the backend: its visitors hammer the admin page and guess passwords in real time; its three minute tasks run by
`setInterval` before and by `headgate-task` after, on a clock in which a minute and all runs are fifteen times shorter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.harness.report import table
from tests.processes import tree
from tests.recorder import accounts, windows
from tests.recorder.grants import Grants
from tests.recorder.history import Kind, of
from tests.recorder.overlap import peak
from tests.recorder.runs import KILLED, runs
from tests.story import promises
from tests.story.backend_evening import backend_evening, rows
from tests.story.world import QUEUES, World, until

BEFORE_EACH = 10
GET_OVER_SECONDS = 30.0
SHOT, FALLEN = "imports", "snoozed"
"""The queue that loses one process in the middle of a job, and the one that loses its worker."""
MIB = 1024 * 1024


@dataclass(frozen=True)
class Evening:
    """What one side did. `broken`: limits that did not hold; `left`: acknowledged jobs that are not over."""

    jobs: int
    at_once: int
    mail_at_once: int
    mail_a_second: int
    peak_mib: float
    processes: int
    cpu_ms: float
    seconds: float
    left: int
    killed_failed: int
    broken: list[str]
    doubtful: list[str]


class Meter:
    """Memory and number of all worker processes, looked at twice a second."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak_bytes = self.peak_processes = 0

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            with suppress(psutil.Error, OSError):
                pids = [pid for process in list(self._world.workers.values()) for pid in tree.members(process.pid)]
                self.peak_processes = max(self.peak_processes, len(pids))
                self.peak_bytes = max(self.peak_bytes, sum(tree.memory(pid)["pss"] for pid in pids))


def evening(folder: Path, serve: Callable[[World, str], None], slots: int, jobs: int, speed: float) -> Evening:
    with World(folder, speed=speed) as world:
        world.publish()
        with Grants(world.store.url) as grants, Meter(world) as meter:
            for queue in QUEUES:
                serve(world, queue)
            until(lambda: world.slots() == slots, 60, f"{slots} workers in RQ's eyes", every=0.3)
            assert world.produce(5_000, jobs).wait(60) == 0
            kills(world, serve)
            until(lambda: quiet(world), 120, "the evening ends", every=0.3)
            cpu = tree.cpu_seconds(process.pid for process in world.workers.values())
            return judge(world, meter, grants, cpu)


def kills(world: World, serve: Callable[[World, str], None]) -> None:
    """One process in the middle of a job, then all processes of one worker, once every queue is at work."""
    until(lambda: all(world.running(queue) for queue in (SHOT, FALLEN)), 60, "work has begun", every=0.01)
    time.sleep(1)
    until(lambda: world.running(SHOT), 20, f"a job of {SHOT} runs", every=0.002)
    world.kill([world.running(SHOT)[-1].pid])
    world.kill_worker(FALLEN)
    serve(world, FALLEN)


def quiet(world: World) -> bool:
    """Nothing waits and nothing runs; what was killed has had its time to come back."""
    left = world.left()
    if left["queued"] or left["scheduled"] or any(world.running(queue) for queue in QUEUES):
        return False
    killed = max(event.at for event in world.events(Kind.KILLED))
    since = (world.writer.add(Kind.LIMIT, note="look").at - killed) / 1e9
    return left["started"] == 0 or since > GET_OVER_SECONDS


def judge(world: World, meter: Meter, grants: Grants, cpu: float) -> Evening:
    events = world.events()
    history, acked = runs(events), accounts.acknowledged(events)
    mail = [run for run in history if run.queue in promises.MAIL]
    states = world.states(acked)
    hit = {run.job for run in history if run.outcome == KILLED}
    return Evening(
        jobs=len(acked),
        at_once=peak(history),
        mail_at_once=peak(mail),
        mail_a_second=windows.busiest([run.started for run in mail], 10**9),
        peak_mib=meter.peak_bytes / MIB,
        processes=meter.peak_processes,
        cpu_ms=cpu / len(acked) * 1000,
        seconds=(max(event.at for event in of(events, Kind.END)) - history[0].started) / 1e9,
        left=len(accounts.lost(acked, states)),
        killed_failed=sum(states.get(job) == "failed" for job in hit),
        broken=promises.broken(events, list(grants.seen)),
        doubtful=promises.unaccounted(events, states),
    )


def shown(before: Evening, after: Evening) -> list[list[str]]:
    def row(what: str, name: str, form: str = "{:,}") -> list[str]:
        return [what, *(form.format(getattr(side, name)) for side in (before, after))]

    return [
        row("jobs enqueued, by plain rq", "jobs"),
        row("most jobs at once (90 allowed before, 31 after)", "at_once"),
        row("most mails at once (budget: 13)", "mail_at_once"),
        row("most mails in any second (budget: 60)", "mail_a_second"),
        row("peak memory of the workers, MiB", "peak_mib", "{:,.0f}"),
        row("most processes", "processes"),
        row("processor time a job, ms", "cpu_ms", "{:.0f}"),
        row("first start to last end, seconds", "seconds", "{:.0f}"),
        row("not over 30 s after the kill -9", "left"),
        row("failed because they were killed", "killed_failed"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make story", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=700)
    parser.add_argument("--speed", type=float, default=0.12, help="of the jobs: 0.12 makes each eight times as long")
    parser.add_argument("--seconds", type=float, default=40, help="of each evening of the backend")
    options = parser.parse_args()
    load = options.jobs, options.speed
    with tempfile.TemporaryDirectory(prefix="headgate-story-") as folder:
        print(f"before: 9 x {BEFORE_EACH} = {9 * BEFORE_EACH} ...", flush=True)
        before = evening(Path(folder) / "before", lambda world, queue: world.serve_by_rq(queue, BEFORE_EACH), 90, *load)
        print(f"after: 5 + 5 + 7 x 3 = {promises.AT_ONCE} ...\n", flush=True)
        after = evening(Path(folder) / "after", lambda world, queue: world.serve(queue), promises.AT_ONCE, *load)
        print(f"before and after: the backend, {options.seconds:g} s each ...\n", flush=True)
        open_, limited = (
            backend_evening(Path(folder) / f"backend-{kind}", limited=kind == "after", seconds=options.seconds)
            for kind in ("before", "after")
        )
    print(table(["by the recorder", "before", "after"], [*shown(before, after), *rows(open_, limited)]))
    wrong = after.broken + after.doubtful + limited.broken
    was = before.broken + open_.broken
    print(f"\n{len(was)} promises of the policies broken before, {len(after.broken + limited.broken)} after")
    for sentence in wrong:
        print(f"BROKEN  {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
