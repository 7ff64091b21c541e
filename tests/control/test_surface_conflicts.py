"""Two policies for one surface, and owners that we cannot see."""

from __future__ import annotations

from typing import Any

from headgate.control.ports import HTTP_POLICY
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument

from .surfaces import GENERAL, IN_FORCE, conditions, published, put


async def test_the_oldest_rules_a_surface_across_namespaces(world: Any) -> None:
    """The loser publishes nothing and names the winner; a queue of the same name is no rival."""
    await put(world)
    world.clock.seconds += 5
    await put(world, "other", "shop", {**GENERAL, "cost": 2}, surface="api")
    await world.put("api")
    await world.settle()
    assert await conditions(world) == IN_FORCE
    loser = await conditions(world, "other", "shop")
    assert loser == {
        "Accepted": "False/SurfaceConflict",
        "Enforced": "False/NotPublished",
        "Ready": "False/SurfaceConflict",
    }
    assert published(world).rules[0].cost == 1
    assert (await world.conditions("api"))["Ready"] == "True/InForce"
    (event,) = [event for event in world.cluster.events if event.reason == "SurfaceConflict"]
    assert "Surface api of store default is declared by the older policy mail/api" in event.message


async def test_the_loser_follows_when_the_winner_goes(world: Any) -> None:
    """Without a resync."""
    await put(world)
    world.clock.seconds += 5
    await put(world, "other", "shop", {**GENERAL, "cost": 2}, surface="api")
    await world.settle()
    await world.remove("api", kind=HTTP_POLICY)
    await world.settle()
    assert published(world).rules[0].cost == 2
    assert await conditions(world, "other", "shop") == IN_FORCE


async def test_an_older_one_that_is_seen_later_takes_over(world: Any) -> None:
    """Its event came late."""
    world.deaf = True
    await put(world, "old", "mail", {**GENERAL, "cost": 3}, surface="api")
    world.deaf = False
    world.clock.seconds += 5
    await put(world, "young", "mail", GENERAL, surface="api")
    await world.settle()
    assert published(world).rules[0].cost == 1
    await world.settle(prime=True)
    assert published(world).rules[0].cost == 3
    assert (await conditions(world, "young"))["Accepted"] == "False/SurfaceConflict"
    assert await conditions(world, "old") == IN_FORCE


async def test_a_surface_of_another_cluster_is_left_alone(world: Any) -> None:
    """It cannot be seen from here, so it is not judged."""
    there = Owner("mail/api", "uid-there", 1, "there")
    await world.store.publish(HttpDocument(surface="api"), there)
    await put(world)
    await world.settle(prime=True)
    assert (await conditions(world))["Accepted"] == "False/SurfaceConflict"
    assert "mail/api of cluster there" in await world.message("api", "Accepted", HTTP_POLICY)
    assert published(world).rules == ()
