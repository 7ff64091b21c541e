"""The loop itself, in real time: start, events, stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headgate.control.controller import Controller
from headgate.control.ports import DEPLOYMENT, QUEUE_POLICY, Key, Telemetry
from headgate.errors import ClusterError


class Told(Telemetry):
    def __init__(self) -> None:
        self.results: list[str] = []
        self.repairs: list[str] = []
        self.resyncs = 0

    def reconciled(self, key: Key, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.results.append(result)

    def repaired(self, kind: Any) -> None:
        self.repairs.append(kind.kind)

    def resynced(self) -> None:
        self.resyncs += 1


class RealClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> str:
        return "2026-11-24T00:00:00Z"


async def until(holds: Callable[[], Awaitable[bool]], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not await holds():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.01)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def loop(world: Any, told: Told) -> Any:
    """A running controller over a world whose events reach it as kopf's would."""
    world.deaf = True
    controller = Controller(
        world.cluster,
        {"default": world.store},
        world.site,
        RealClock(),
        telemetry=told,
        resync_seconds=0.2,
        inspect_seconds=0.05,
    )
    world.cluster.watch(
        lambda _, kind, found: controller.changed(kind, found["metadata"]["namespace"], found["metadata"]["name"])
    )
    running = asyncio.create_task(controller.run())
    yield controller
    controller.stop()
    async with asyncio.timeout(5):
        await running


async def test_it_runs_from_event_to_status_and_stops(world: Any, loop: Any, told: Told) -> None:
    """Applied by event, repaired by resync, ended without a task left."""

    async def there() -> bool:
        return bool((await world.get("emails")).get("status")) and "queue/emails" in world.store.documents

    async def back() -> bool:
        return (DEPLOYMENT, "mail", "emails-worker") in world.cluster._objects

    await world.put("emails")
    await until(there)
    await until(back)
    await world.remove("emails-worker", kind=DEPLOYMENT)
    loop.queue.add(Key(QUEUE_POLICY, "mail", "emails"))
    await until(back)
    assert told.repairs == ["Deployment"]
    assert told.resyncs >= 1
    assert set(told.results) == {"ok"}


async def test_an_api_server_that_is_away_at_the_start_is_waited_for(world: Any, told: Told) -> None:
    """The first LIST fails twice."""
    failures = [ClusterError("connection refused"), ClusterError("connection refused")]
    real = world.cluster.list

    async def list_(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return await real(*args, **kwargs)

    world.cluster.list = list_
    world.deaf = True
    await world.put("emails")
    controller = Controller(world.cluster, {"default": world.store}, world.site, RealClock(), telemetry=told)
    running = asyncio.create_task(controller.run())

    async def there() -> bool:
        return bool((await world.get("emails")).get("status"))

    await until(there)
    assert told.resyncs == 1
    controller.stop()
    async with asyncio.timeout(5):
        await running


async def test_a_stop_lets_what_is_in_hand_end(world: Any) -> None:
    """A reconcile in the middle of its writes is not cut."""
    world.deaf = True
    await world.put("emails")
    controller = Controller(world.cluster, {"default": world.store}, world.site, RealClock())
    entered, ended, real = asyncio.Event(), [], controller.reconcile

    async def slow(key: Key) -> float | None:
        entered.set()
        await asyncio.sleep(0.2)
        result = await real(key)
        ended.append(key)
        return result

    controller.reconcile = slow  # type: ignore[method-assign]
    running = asyncio.create_task(controller.run())
    async with asyncio.timeout(5):
        await entered.wait()
    controller.stop()
    async with asyncio.timeout(5):
        await running
    assert ended
    assert (await world.get("emails")).get("status")


async def test_a_cancelled_loop_leaves_no_task(world: Any) -> None:
    """As when the Lease is lost."""
    before = asyncio.all_tasks()
    running = asyncio.create_task(Controller(world.cluster, {"default": world.store}, world.site, RealClock()).run())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


async def test_failures_and_bugs_are_told_apart(world: Any, told: Told) -> None:
    """retry: the world failed; error: we did."""
    world.controller._telemetry = told
    await world.put("a")
    world.cluster.broken = {"a": ClusterError("timeout")}
    await world.controller.work_off()
    world.cluster.broken = {"a": KeyError("spec")}
    world.controller.queue.add(Key(QUEUE_POLICY, "mail", "a"))
    await world.controller.work_off()
    world.cluster.broken.clear()
    world.controller.queue.add(Key(QUEUE_POLICY, "mail", "a"))
    await world.controller.work_off()
    assert told.results[:2] == ["retry", "error"]
    assert set(told.results[2:]) == {"ok"}
