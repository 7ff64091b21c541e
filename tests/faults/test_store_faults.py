"""The store is killed, emptied, frozen, filled and slowed under two workers; the recorder tells what became of it.

Never more than N at once, whatever the store does; what runs goes on; nobody has to restart a worker afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from rq import Queue

from headgate.gates.door import Door
from headgate.model.documents import QueueDocument
from tests.faults.slow_link import SlowLink
from tests.processes import worker
from tests.processes.store import Store
from tests.recorder import accounts
from tests.recorder.history import Kind
from tests.recorder.overlap import peak
from tests.recorder.runs import Run, runs
from tests.story.world import World, until

QUEUE, N, SLOTS = "faulty", 3, 2
DOCUMENT = QueueDocument(queue=QUEUE, total=N, per_worker=SLOTS, rate_per_worker=None)
SHORT = 0.15

pytestmark = [pytest.mark.store, pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture
def enter(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """`enter(durable=..., url=...)`: a world whose two workers of two slots may run three jobs at once."""
    worlds: list[World] = []

    def start(*, durable: bool = False, link_delay: float = 0.0) -> World:
        world = World(tmp_path, store=Store(tmp_path / "store", durable=durable)).__enter__()
        worlds.append(world)
        worker.publish(world.store.url, DOCUMENT)
        link = SlowLink(world.store.port, link_delay).__enter__() if link_delay else None
        if link:
            links.append(link)
        for name in ("one", "two"):
            world.serve(QUEUE, name=name, url=link.url if link else "", HEADGATE_PRELOAD="tests.faults.jobs")
        until(lambda: world.slots() == 2 * SLOTS, 20, "both workers are up")
        return world

    links: list[SlowLink] = []
    yield start
    for world in worlds:
        world.__exit__()
    for link in links:
        link.__exit__()


def enqueue(world: World, seconds: float, count: int) -> list[str]:
    """By plain rq; what was acknowledged goes on record."""
    with world.store.client() as client:
        queue = Queue(QUEUE, connection=client)
        jobs = [queue.enqueue("tests.faults.jobs.busy", seconds).id for _ in range(count)]
    for job in jobs:
        world.writer.add(Kind.ACKED, job=job, queue=QUEUE)
    return jobs


def history(world: World) -> list[Run]:
    return runs(world.events())


def ended(world: World, jobs: list[str]) -> bool:
    return set(world.states(jobs).values()) == {"finished"} and len(world.states(jobs)) == len(jobs)


def same_workers(world: World) -> bool:
    """Nobody restarted anything: the processes that were started are the ones that run."""
    return all(process.poll() is None for process in world.workers.values())


def quarantined(world: World) -> bool:
    with closing(Door(world.store.url)) as door:
        state = door.inspect()
    return state.quarantine_until > state.now


def judged(world: World, jobs: list[str]) -> None:
    """Each job once, never more than N at once, by the same workers."""
    assert peak(history(world)) <= N
    assert accounts.unexplained(history(world)) == {}
    assert accounts.never_ran(jobs, history(world)) == set()
    assert same_workers(world)


def test_killed_and_restarted_with_its_data(enter: Callable[..., World]) -> None:
    world = enter(durable=True)
    jobs = enqueue(world, 1.5, N) + enqueue(world, SHORT, 60)
    until(lambda: len(world.running(QUEUE)) == N, 20, "three jobs run")
    world.store.kill()
    time.sleep(3)
    world.store.start()
    until(lambda: ended(world, jobs), 60, "all jobs are finished", every=0.3)
    judged(world, jobs)


def test_killed_and_restarted_without_its_data(enter: Callable[..., World]) -> None:
    """What waited is gone with the store: the stated exception. What runs goes on and counts, so nothing exceeds N.

    Nobody publishes: a worker does, from its copy.
    """
    world = enter()
    long = enqueue(world, 30, N)
    enqueue(world, SHORT, 20)
    until(lambda: len(world.running(QUEUE)) == N, 20, "three jobs run")
    world.store.kill()
    time.sleep(1)
    world.store.start()
    until(lambda: quarantined(world), 20, "the loss is noticed and told", every=0.2)
    after = enqueue(world, SHORT, 10)
    until(lambda: ended(world, after), 70, "what came afterwards is finished", every=0.3)
    judged(world, [*long, *after])
    first_after = min(run.started for run in history(world) if run.job in after)
    first_free = min(run.ended for run in history(world) if run.job in long)
    assert first_after >= first_free, "a new job started while three of before still ran"


def test_frozen_for_thirty_seconds(enter: Callable[..., World]) -> None:
    """Longer than a lease: everyone was cut off, so nothing starts until those who hold places have said so again."""
    world = enter()
    jobs = enqueue(world, 45, N) + enqueue(world, SHORT, 20)
    until(lambda: len(world.running(QUEUE)) == N, 20, "three jobs run")
    world.store.freeze()
    time.sleep(30)
    world.store.thaw()
    until(lambda: quarantined(world), 15, "the gap is noticed and told", every=0.2)
    assert len(world.running(QUEUE)) == N, "a running job did not survive"
    until(lambda: ended(world, jobs), 90, "all jobs are finished", every=0.3)
    judged(world, jobs)


def test_full(enter: Callable[..., World]) -> None:
    """Above maxmemory nothing new starts or is taken; what runs is finished and stored; then work goes on."""
    world = enter()
    running = enqueue(world, 2, N)
    waiting = enqueue(world, SHORT, 20)
    until(lambda: len(world.running(QUEUE)) == N, 20, "three jobs run")
    with world.store.client() as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(redis.exceptions.ResponseError, match="maxmemory"):
            Queue(QUEUE, connection=client).enqueue("tests.faults.jobs.busy", SHORT)
        until(lambda: ended(world, running), 20, "what ran is stored as finished")
        time.sleep(1)
        assert {run.job for run in history(world)} == set(running), "a job started above maxmemory"
        client.config_set("maxmemory", 0)
    until(lambda: ended(world, waiting), 40, "what waited is finished")
    judged(world, [*running, *waiting])


@pytest.mark.parametrize("delay", [0.05, 0.3])
def test_slow(enter: Callable[..., World], delay: float) -> None:
    """Every reply comes late: throughput falls, nothing else."""
    world = enter(link_delay=delay)
    jobs = enqueue(world, SHORT, 20)
    until(lambda: ended(world, jobs), 90, "all jobs are finished", every=0.3)
    judged(world, jobs)
