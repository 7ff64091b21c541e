"""The work queue: once each, one hand each, later and later after failures."""

from __future__ import annotations

import asyncio

import pytest

from headgate.control.workqueue import WorkQueue


@pytest.fixture
async def queue() -> WorkQueue[str]:
    return WorkQueue(base=0.01, cap=0.05, chance=lambda: 1.0)


async def ready(queue: WorkQueue[str], count: int, within: float = 2.0) -> None:
    """Wait until so many keys are ready."""
    deadline = asyncio.get_running_loop().time() + within
    while queue.depth < count:
        assert asyncio.get_running_loop().time() < deadline, "the key never became ready"
        await asyncio.sleep(0.002)


async def test_a_burst_of_events_is_one_key(queue: WorkQueue[str]) -> None:
    """In the order of the first event."""
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert (queue.depth, await queue.take(), await queue.take(), queue.depth) == (2, "a", "b", 0)


async def test_a_key_in_hand_is_handed_out_again_only_afterwards(queue: WorkQueue[str]) -> None:
    """The event that came meanwhile is not lost."""
    queue.add("a")
    await queue.take()
    queue.add("a")
    assert (queue.depth, queue.idle) == (0, False)
    queue.done("a")
    assert queue.depth == 1
    await queue.take()
    queue.done("a")
    assert queue.idle


async def test_take_waits_for_a_key(queue: WorkQueue[str]) -> None:
    """Without polling."""
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    queue.add("a")
    assert await taking == "a"


async def test_an_appointment_is_kept_and_the_earlier_one_wins(queue: WorkQueue[str]) -> None:
    """An event makes a later appointment needless."""
    queue.add_after("a", 3600)
    queue.add_after("a", 0.01)
    queue.add_after("a", 3600)
    assert queue.depth == 0
    await ready(queue, 1)
    await queue.take()
    queue.done("a")
    queue.add_after("a", 0.01)
    queue.add("a")
    await queue.take()
    queue.done("a")
    await asyncio.sleep(0.03)
    assert queue.idle


async def test_failures_in_a_row_wait_longer_and_success_forgets_them(queue: WorkQueue[str]) -> None:
    """Doubling from base to cap; per key."""
    assert [queue.add_failed("a") for _ in range(5)] == [0.01, 0.02, 0.04, 0.05, 0.05]
    assert queue.add_failed("b") == 0.01
    queue.succeeded("a")
    assert queue.add_failed("a") == 0.01


async def test_a_thousand_failures_do_not_overflow(queue: WorkQueue[str]) -> None:
    """2 ** 1000 is a number that no float holds times 0.5."""
    for _ in range(2000):
        pause = queue.add_failed("a")
    assert pause == 0.05


async def test_pauses_are_spread_by_chance() -> None:
    """Half of each pause is certain."""
    queue: WorkQueue[str] = WorkQueue(base=1.0, chance=lambda: 0.0)
    assert queue.add_failed("a") == 0.5
    queue.close()


async def test_the_age_of_the_oldest_key_is_told(queue: WorkQueue[str]) -> None:
    """For the health endpoint."""
    assert queue.oldest_seconds() == 0.0
    queue.add("a")
    await asyncio.sleep(0.02)
    queue.add("b")
    assert 0.02 <= queue.oldest_seconds() < 5
    await queue.take()
    assert queue.oldest_seconds() < 0.02 + 5


async def test_close_cancels_appointments(queue: WorkQueue[str]) -> None:
    """Nothing fires afterwards."""
    queue.add_after("a", 0.01)
    queue.close()
    await asyncio.sleep(0.03)
    assert queue.idle
