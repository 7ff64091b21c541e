"""Jobs and requests on one budget of 20: jobs leave 2 for requests, and a killed backend gives its places back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from rq import Queue

from headgate.gates.keys import Keys
from headgate.model.documents import BudgetDocument, BudgetShare, HttpDocument, HttpRule, QueueDocument
from tests.processes.worker import publish
from tests.story.site import Site
from tests.story.world import World, until

TOTAL, RESERVED, QUEUE, BUDGET = 20, 2, "reports", "ns/database"
LEASE_SECONDS = 20.0
JOB_SECONDS = 0.3

pytestmark = [pytest.mark.store, pytest.mark.slow]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        share = BudgetShare(name=BUDGET)
        publish(
            world.store.url,
            BudgetDocument(name=BUDGET, total=TOTAL, http_reserved=RESERVED),
            QueueDocument(queue=QUEUE, per_worker=TOTAL, budgets=(share,)),
            HttpDocument(
                surface="api",
                request_timeout_seconds=600,
                rules=(HttpRule(name="database", key="Global", budgets=(share,)),),
            ),
        )
        yield world


def notes(path: Path) -> list[tuple[str, int, str]]:
    """(what, when, S or E), in time order; an end before a start of the same instant."""
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return sorted(((what, int(at), phase) for what, at, _, phase in lines), key=lambda note: (note[1], note[2]))


def most(found: list[tuple[str, int, str]], *whats: str) -> int:
    """The most that ran at once of these."""
    running = peak = 0
    for what, _, phase in found:
        running += (1 if phase == "S" else -1) * (what in whats)
        peak = max(peak, running)
    return peak


def running(path: Path, what: str) -> int:
    return sum((1 if phase == "S" else -1) for each, _, phase in notes(path) if each == what)


def held_by_requests(world: World) -> int:
    """Live leases, by the store's own clock and keys."""
    with world.store.client() as client:
        now = int(client.time()[0]) * 1000
        return int(client.zcount(Keys().budget_gate(BUDGET, "http"), f"({now}", "+inf"))


def full(world: World, path: Path) -> bool:
    return running(path, "job") >= TOTAL - RESERVED


def ask(site: Site, seconds: float) -> int:
    with site.client() as client:
        return client.get(f"/hold/{seconds:g}", timeout=120).status_code


def hold_and_be_cut(site: Site) -> None:
    with suppress(httpx.TransportError):
        ask(site, 100)


@pytest.mark.timeout(170)
def test_jobs_and_requests_share_a_budget_and_a_killed_backend_gives_it_back(world: World) -> None:
    path = world.folder / "notes"
    more = {"TASKFORCE_NOTES": str(path)}
    with world.store.client() as client:
        queue = Queue(QUEUE, connection=client)
        for _ in range(int(60 * TOTAL / JOB_SECONDS)):
            queue.enqueue("tests.story.shared_budget.work", JOB_SECONDS)
    world.serve(QUEUE, HEADGATE_PRELOAD="tests.story.shared_budget", **more)
    with (
        Site(world.folder / "site", world.store.url, "tests.story.shared_budget:create_app", more=more) as site,
        ThreadPoolExecutor(8) as pool,
    ):
        until(lambda: full(world, path), 60, "jobs take all that is left to them")
        for _ in range(5):
            assert [one.result() for one in [pool.submit(ask, site, 0.2) for _ in range(RESERVED)]] == [200, 200]
        cut: list[Future[None]] = [pool.submit(hold_and_be_cut, site) for _ in range(RESERVED)]
        until(lambda: running(path, "request") == RESERVED, 10, "two requests run")
        assert held_by_requests(world) == RESERVED
        until(lambda: full(world, path), 10, "jobs have the rest")
        ended = time.monotonic()
        site.kill()
        killed = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        with path.open("a") as file:  # nobody else can say it any more
            file.writelines(f"request {killed} 0 E\n" for _ in cut)
        for one in cut:
            one.result()
        assert held_by_requests(world) == RESERVED, "nobody takes them while their lease runs"
        until(lambda: held_by_requests(world) == 0, LEASE_SECONDS + 1, "the places are back")
        assert time.monotonic() - ended <= LEASE_SECONDS + 1
        site.start()
        again = [pool.submit(ask, site, 0.2) for _ in range(RESERVED)]
        assert [one.result() for one in again] == [200, 200]
    found = notes(path)
    assert most(found, "job", "request") <= TOTAL
    assert most(found, "job") == TOTAL - RESERVED, "jobs leave the reserve alone"
    assert most(found, "request") == RESERVED


def test_more_than_the_budget_would_be_found() -> None:
    planted = [("job", 1, "S"), ("job", 2, "S"), ("request", 3, "S"), ("job", 4, "E"), ("request", 4, "S")]
    assert most(planted, "job", "request") == 3
    assert most(planted, "job") == 2
