"""The story with real processes: 5,000 plain jobs, nine workers, `kill -9`, and nobody's word but the record's."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes.store import Store
from tests.recorder import accounts
from tests.recorder.grants import Grants
from tests.recorder.history import Kind
from tests.recorder.runs import KILLED, runs
from tests.stores import free_port
from tests.story import promises
from tests.story.sampler import Sampler
from tests.story.world import PROGRAMS, QUEUES, World, until

JOBS, RATE = 5_000, 400
SECOND = 10**9
IN_BETWEEN = 5
"""RQ's own code moves a failed job in more than one step; so many of 31 may be between two registries in one sample."""

pytestmark = [pytest.mark.store, pytest.mark.slow]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.publish()
        for queue in QUEUES:
            world.serve(queue)
        yield world


QUEUE_LINE = re.compile(r"queue (\S+) (\d+), (\d+) executing, (\d+) finished, (\d+) failed")


def rq_info(world: World) -> tuple[list[int], set[str]]:
    """`rq info`: [waiting, executing, finished, failed] of all queues together, and the workers it lists."""
    command = [str(PROGRAMS / "rq"), "info", "--url", world.store.url, "--raw"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [list(map(int, found[1:])) for found in QUEUE_LINE.findall(text)]
    totals = [sum(column) for column in zip(*lines, strict=True)] or [0, 0, 0, 0]
    return totals, set(re.findall(r"^worker (\S+)", text, re.MULTILINE))


def kill_a_slot(world: World, queue: str) -> None:
    """SIGKILL to a process that is in the middle of a job of this queue."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := world.running(queue):
            world.kill([found[-1].pid])
            if any(run.outcome == KILLED and run.pid == found[-1].pid for run in runs(world.events())):
                return
        time.sleep(0.002)
    raise AssertionError(f"no job of {queue} was hit")


def kill_the_worker(world: World, queue: str) -> set[str]:
    """SIGKILL to all processes of a worker while a job runs in it; the names of its slots."""
    with world.store.client() as client:
        names = {member.decode().removeprefix("rq:worker:") for member in client.smembers(f"rq:workers:{queue}")}
    world.kill_worker(queue)
    return names


def drained(world: World) -> bool:
    return not any(world.left().values())


@pytest.mark.timeout(170)
def test_five_thousand_jobs_never_break_a_limit_and_none_is_lost(world: World) -> None:
    with Grants(world.store.url) as grants, Sampler(world) as sampler:
        producer = world.produce(RATE, JOBS)
        until(lambda: len(rq_info(world)[1]) == promises.AT_ONCE, 30, "31 workers in rq info", every=0.3)
        for queue in ("sync", "snoozed", "webhooks"):
            kill_a_slot(world, queue)
        dead = kill_the_worker(world, "imports")
        world.serve("imports")
        assert producer.wait(60) == 0
        until(lambda: drained(world), 100, "everything has ended", every=0.5)
        (waiting, executing, finished, failed), workers = rq_info(world)
        assert (waiting, executing, finished + failed) == (0, 0, JOBS)
        assert len(workers - dead) == promises.AT_ONCE, "the killed worker's slots stay listed for RQ's 90 s, no others"
        events, seen = world.events(), list(grants.seen)
    acked = accounts.acknowledged(events)
    assert len(acked) == JOBS
    assert promises.broken(events, seen) == []
    assert promises.unaccounted(events, world.states(acked)) == []
    _started_again(world)
    _counts_were_true(sampler)
    assert set(world.stop_workers().values()) == {0}


def _started_again(world: World) -> None:
    """A killed slot's job within a second, those of a whole worker within thirty."""
    history = runs(world.events())
    late = accounts.restarts(history)
    of_worker = {run.job for run in history if run.outcome == KILLED and run.queue == "imports"}
    assert of_worker, "the worker was killed between two jobs: nothing was tried"
    for job, after in late.items():
        assert after is not None, f"{job} never started again"
        assert after < (30 if job in of_worker else 1) * SECOND, f"{job} started again after {after / SECOND:.2f} s"


def _counts_were_true(sampler: Sampler) -> None:
    """In every sample each job was in exactly one list or registry, and never more of them started than may run."""
    assert len(sampler.samples) > 20
    for sample in sampler.samples:
        assert sample.acked_before - IN_BETWEEN <= sample.jobs <= sample.acked_after + 1, sample
        assert sample.started <= promises.AT_ONCE + IN_BETWEEN, sample


@contextmanager
def rq_dashboard(store: Store, folder: Path) -> Iterator[str]:
    """The real program on a port of its own; yields the address of its API for the first store."""
    port = free_port()
    command = [str(PROGRAMS / "rq-dashboard"), "--bind", "127.0.0.1", "--port", str(port), "--redis-url", store.url]
    with (folder / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(address), 20, "rq-dashboard answers", every=0.2)
        yield f"{address}/0/data"
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except OSError:
        return False


def get(url: str) -> dict[str, list[dict[str, object]]]:
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310
        found: dict[str, list[dict[str, object]]] = json.load(reply)
        return found


def test_rq_dashboard_shows_queues_jobs_and_workers(world: World, tmp_path: Path) -> None:
    producer = world.produce(100, 400)
    assert producer.wait(30) == 0
    with rq_dashboard(world.store, tmp_path) as data:
        workers = get(f"{data}/workers.json")["workers"]
        assert len(workers) == promises.AT_ONCE
        assert {queue for found in workers for queue in found["queues"]} == set(QUEUES)
        until(lambda: drained(world), 60, "everything has ended", every=0.5)
        queues = get(f"{data}/queues.json")["queues"]
        assert {found["name"] for found in queues} == set(QUEUES)
        states = world.states(accounts.acknowledged(world.events(Kind.ACKED)))
        shown = sum(found["finished_job_registry_count"] for found in queues)
        assert shown == sum(state == "finished" for state in states.values())
        jobs = get(f"{data}/jobs/campaigns/finished/50/asc/1.json")["jobs"]
        assert jobs
        assert all(re.search(r"taskforce\.tasks\.send_campaign", str(job["description"])) for job in jobs)
