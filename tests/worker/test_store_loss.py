"""A store that came up empty under running workers: the queue goes on by itself, and nothing removed comes back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.gates.verbs import LEASE_MS, Owner
from headgate.model.documents import BudgetDocument, BudgetShare
from tests.stores import StoreServer, valkey_binary
from tests.worker.running import Bench, wait_for

T = "tests.worker.tasks."
AGAIN = "policy published again after the store lost it"
LEASE_SECONDS = LEASE_MS / 1000
SHARE = (BudgetShare(name="test/mail"),)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[StoreServer, Bench]]:
    """A server that keeps nothing over its death."""
    server = StoreServer(valkey_binary(), tmp_path).start()
    bench = Bench(server.url, "work", tmp_path)
    yield server, bench
    bench.close()
    server.kill()


def budget(bench: Bench, total: int) -> None:
    bench.generation += 1
    bench.declare(BudgetDocument(name="test/mail", total=total), "test/mail")


@pytest.mark.slow
def test_the_queue_and_its_budget_come_back_by_themselves(own: tuple[StoreServer, Bench]) -> None:
    """Two workers race for it; the budget was changed after they read the policy."""
    server, bench = own
    budget(bench, 3)
    bench.publish(per_worker=1, total=7, budgets=SHARE)
    workers = [bench.ready(), bench.ready()]
    before = bench.door.read_declared("work")
    budget(bench, 2)
    time.sleep(6)
    server.kill()
    server.start()
    wait_for(lambda: bench.door.read_document("work"), "published again")
    job = bench.queue.enqueue(T + "add", 1)
    bench.ended(job, seconds=LEASE_SECONDS + 20)
    after = bench.door.read_declared("work")
    assert before.queue is not None
    assert after.queue is not None
    assert (after.queue.document, after.queue.owner) == (before.queue.document, before.queue.owner)
    assert [copy.document.total for copy in after.budgets] == [2]
    lines = [line for worker in workers for line in worker.text().splitlines() if AGAIN in line]
    assert sorted("kind=budget" in line for line in lines) == [False, True], lines
    assert not any("Traceback" in worker.text() for worker in workers)


def test_the_policy_comes_back_when_the_store_is_flushed(bench: Bench) -> None:
    """No connection breaks: the worker hears that its policy is gone and sees that it is another epoch."""
    bench.publish(total=7)
    worker = bench.ready()
    bench.redis.flushall()
    worker.wait_log(AGAIN)
    found = wait_for(lambda: bench.door.read_document("work"), "published again")
    assert found[1].total == 7


def test_what_is_unpublished_stays_away(bench: Bench) -> None:
    """And after a later loss too: it was no longer in force."""
    bench.publish()
    worker = bench.ready()
    owner = Owner("test/work", "test/work", bench.generation)
    assert bench.door.unpublish("queue", "work", owner)
    worker.wait_log("no policy is published for this queue")
    time.sleep(6)
    assert bench.door.read_document("work") is None
    bench.redis.flushall()
    time.sleep(6)
    assert bench.door.read_document("work") is None
    assert AGAIN not in worker.text()


def test_what_is_published_before_the_worker_is_back_wins(own: tuple[StoreServer, Bench]) -> None:
    """Whatever its generation: files count from 1 again in an empty store."""
    server, bench = own
    bench.generation = 8
    bench.publish(total=9)
    worker = bench.ready()
    server.kill()
    worker.wait_log("the store cannot be reached")
    bench.generation = 0
    with worker.frozen():
        server.start()
        bench.publish(total=2)
    worker.wait_log("the store is back")
    worker.wait_log("policy in use.* total=2")
    found = bench.door.read_document("work")
    assert found is not None
    assert found[1].total == 2
