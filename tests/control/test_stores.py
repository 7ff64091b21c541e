"""Stores that are away, forget, fill up or must not be used; and what one look at them tells."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import BUDGET, QUEUE_POLICY, Key
from headgate.errors import StoreUnavailable
from headgate.gates.verbs import Reaped

AWAY = StoreUnavailable("the store at redis:6379 does not answer")


async def test_a_store_that_is_down_at_the_start(world: Any) -> None:
    """Children are made, nothing is published, the status says why; its return heals all without a resync."""
    world.store.fault = AWAY
    await world.put("emails")
    await world.put_budget("provider")
    await world.settle(prime=True)
    found = await world.conditions("emails")
    assert (found["Enforced"], found["Throttled"]) == ("Unknown/StoreUnreachable", "Unknown/StoreUnreachable")
    assert found["Ready"] == "Unknown/StoreUnreachable"
    assert await world.message("emails", "Enforced") == str(AWAY)
    assert (await world.conditions("provider", BUDGET))["Enforced"] == "Unknown/StoreUnreachable"
    assert [name for _, _, name in world.cluster._objects].count("emails-worker") == 4
    world.store.fault = None
    await world.settle()
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"
    assert (await world.conditions("provider", BUDGET))["Ready"] == "True/InForce"


async def test_a_store_that_goes_away_is_told_after_15_seconds(world: Any) -> None:
    """Not for a blink; and its return is told at once."""
    await world.put("emails")
    await world.settle(prime=True)
    world.forget_writes()
    world.store.fault = AWAY
    world.clock.seconds += 10
    await world.settle()
    assert world.writes == []
    world.clock.seconds += 6
    await world.settle()
    assert (await world.conditions("emails"))["Enforced"] == "Unknown/StoreUnreachable"
    world.store.fault = None
    await world.settle()
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"


async def test_a_store_that_is_away_is_not_asked_by_every_key(world: Any) -> None:
    """Each call would wait for its timeout, one after the other."""
    await world.settle(prime=True)
    calls: list[str] = []

    async def publish(*_: Any, **__: Any) -> Any:
        calls.append("publish")
        raise AWAY

    world.store.fault = AWAY
    await world.controller.observe()
    world.store.publish = publish
    for number in range(20):
        await world.put(f"emails-{number}")
    await world.controller.work_off()
    assert calls == []


async def test_lost_data_is_published_again_at_once(world: Any) -> None:
    """One look notices it."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.put_budget("provider")
    await world.settle(prime=True)
    before = set(world.store.documents)
    world.clock.seconds += 5
    world.store.lose_everything()
    await world.settle()
    assert set(world.store.documents) == before
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"


async def test_a_document_that_somebody_removed_is_published_again(world: Any) -> None:
    """By hand, or by another operator's mistake."""
    await world.put("emails")
    await world.settle(prime=True)
    declared = world.controller.memory.declared[Key(QUEUE_POLICY, "mail", "emails")]
    world.clock.seconds += 5
    world.store.gates.unpublish("queue", "emails", declared.owner)
    await world.settle()
    assert "queue/emails" in world.store.documents


async def test_a_store_that_evicts_is_not_used(world: Any) -> None:
    """The sentence names the setting. When it is changed, all goes on within a look."""
    world.store.unsuitable = "maxmemory-policy is allkeys-lru: set noeviction"
    await world.put("emails")
    await world.settle(prime=True)
    found = await world.conditions("emails")
    assert (found["Enforced"], found["Degraded"]) == ("False/NotPublished", "True/StoreEvicts")
    assert await world.message("emails", "Degraded") == "maxmemory-policy is allkeys-lru: set noeviction"
    assert world.store.documents == {}
    world.store.unsuitable = ""
    await world.settle()
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"


async def test_a_setting_that_changes_later_is_noticed(world: Any) -> None:
    """Within a minute."""
    await world.put("emails")
    await world.settle(prime=True)
    world.store.unsuitable = "maxmemory-policy is allkeys-lru: set noeviction"
    world.clock.seconds += 60
    await world.settle()
    assert (await world.conditions("emails"))["Degraded"] == "True/StoreEvicts"


async def test_quarantine_is_told_and_passes(world: Any) -> None:
    """While nothing starts, the status says why."""
    await world.put("emails")
    await world.settle(prime=True)
    meta = world.store.gates.store.meta
    meta.quarantine_until = world.store.gates.store.now + 20_000
    await world.settle()
    assert (await world.conditions("emails"))["Degraded"] == "True/Quarantine"
    world.clock.seconds += 21
    await world.settle()
    assert (await world.conditions("emails"))["Degraded"] == "False/AsExpected"


@pytest.mark.parametrize(
    ("shown", "type_", "wanted"),
    [
        ({"foreign_workers": ("old.host.1",)}, "Enforced", "False/ForeignWorkers"),
        ({"poison": 3}, "Degraded", "True/PoisonJobs"),
        ({"due": 2, "instances": ()}, "Degraded", "True/NoScheduler"),
        ({"blocked_by": "rate.total"}, "Throttled", "True/RateTotal"),
        ({"blocked_by": "budget/mail/provider"}, "Throttled", "True/Budget"),
    ],
)
async def test_one_look_tells_what_a_queue_suffers(shown: dict[str, Any], type_: str, wanted: str, world: Any) -> None:
    """And tells it back when it is over."""
    await world.put("emails")
    await world.settle(prime=True)
    world.store.shown["emails"] = shown
    await world.settle()
    assert (await world.conditions("emails"))[type_] == wanted
    world.store.shown.clear()
    world.clock.seconds += 61
    world._play_workers()
    await world.settle()
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"
    assert (await world.conditions("emails"))[type_] != wanted


async def test_a_queue_that_breathes_at_its_limit_costs_one_write(world: Any) -> None:
    """Ten minutes of full and free, looked at every five seconds."""
    await world.put("emails")
    await world.settle(prime=True)
    world.forget_writes()
    for number in range(120):
        world.clock.seconds += 5
        world._play_workers()
        world.store.shown["emails"] = {"blocked_by": "concurrency.total" if number % 2 else ""}
        await world.controller.observe()
        await world.controller.work_off()
    assert world.writes == ["status QueuePolicy/emails"]
    assert (await world.conditions("emails"))["Throttled"] == "True/ConcurrencyTotal"


async def test_a_restart_forgets_no_throttle(world: Any) -> None:
    """What is told is told once, in all lives together."""
    await world.put("emails")
    await world.settle(prime=True)
    world.store.shown["emails"] = {"blocked_by": "rate.total"}
    await world.settle()
    world.store.shown.clear()
    world.restart()
    world.forget_writes()
    await world.settle(prime=True)
    assert (await world.conditions("emails"))["Throttled"] == "True/RateTotal"
    assert [write for write in world.cluster.writes if write.startswith("status")] == []


async def test_jobs_of_a_queue_without_workers_are_put_back(world: Any) -> None:
    """Workers reap at each renewal; where none is left we do."""
    await world.put("emails")
    await world.settle(prime=True)
    reaps: list[int] = []

    async def reap(limit: int = 100) -> list[Reaped]:
        reaps.append(limit)
        return []

    world.store.reap = reap
    await world.controller.observe()
    assert reaps == []
    world.store.shown["emails"] = {"running": 2, "instances": ()}
    await world.controller.observe()
    assert reaps == [100]
    world.store.shown.clear()
    world.clock.seconds += 30
    await world.controller.observe()
    assert reaps == [100, 100]


async def test_a_deletion_while_the_store_is_away_is_caught_up(world: Any) -> None:
    """It cannot be unpublished now; it is when the store is back."""
    await world.put("emails")
    await world.settle(prime=True)
    world.store.fault = AWAY
    await world.controller.observe()
    await world.remove("emails")
    await world.controller.work_off()
    world.store.fault = None
    assert "queue/emails" in world.store.documents
    await world.settle()
    assert world.store.documents == {}


async def test_looks_are_spread_over_policies(world: Any) -> None:
    """One inspect a store, however many policies."""
    for number in range(30):
        await world.put(f"emails-{number}")
    await world.settle(prime=True)
    looks: list[int] = []
    real = world.store.inspect

    async def inspect() -> Any:
        looks.append(1)
        return await real()

    world.store.inspect = inspect
    await world.controller.observe()
    assert looks == [1]
