"""Reconcile of HTTPPolicy: what is published, and who has it in use."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import HTTP_POLICY
from headgate.control.stores import Site, StoreEntry
from headgate.errors import StoreUnavailable
from headgate.model.documents import RateDocument

from .surfaces import GENERAL, IN_FORCE, SHARED, conditions, published, put


async def test_a_policy_is_published_and_says_so_once(world: Any) -> None:
    """The whole status; and nothing is written when nothing changed."""
    await put(world, "api", "mail", GENERAL, {**GENERAL, "name": "new", "mode": "Shadow"})
    await world.settle()
    assert published(world).rules[0].rate == RateDocument(limit=100, period_ms=900_000)
    status = (await world.get("api", HTTP_POLICY))["status"]
    assert (status["surface"], status["rules"], status["observedGeneration"]) == ("api", 2, 1)
    assert status["enforcement"] == {"revision": 1, "expected": 0, "acknowledged": 0, "summary": "0/0"}
    assert await conditions(world) == IN_FORCE
    assert await world.message("api", "Ready", HTTP_POLICY) == "The limits are in force. Shadow: new only counted."
    world.forget_writes()
    await world.settle(prime=True)
    await world.settle(prime=True)
    assert world.writes == []


async def test_a_restart_writes_nothing(world: Any) -> None:
    """The store answers that it has this already."""
    await put(world)
    await world.settle()
    world.restart()
    world.forget_writes()
    await world.settle(prime=True)
    assert world.writes == []
    assert await conditions(world) == IN_FORCE


async def test_enforced_is_what_every_api_process_says(world: Any) -> None:
    """One with an old revision is waited for; one that no longer renews is not."""
    await put(world)
    await world.settle()
    world.store.serve("api", "web-1-aaaaaa")
    world.store.serve("api", "web-2-bbbbbb")
    await world.settle()
    assert (await conditions(world))["Enforced"] == "True/AllAcknowledged"
    assert await world.message("api", "Enforced", HTTP_POLICY) == "2 of 2 API processes have revision 1 in use."
    await put(world, "api", "mail", {**GENERAL, "inFlight": 3})
    await world.settle()
    world.store.serve("api", "web-1-aaaaaa")
    await world.settle()
    found = await conditions(world)
    assert (found["Enforced"], found["Ready"]) == ("False/PartiallyAcknowledged", "False/PartiallyAcknowledged")
    world.clock.seconds += 12
    world.store.serve("api", "web-1-aaaaaa")
    await world.later(12)
    assert (await conditions(world))["Enforced"] == "True/AllAcknowledged"
    assert (await world.get("api", HTTP_POLICY))["status"]["enforcement"]["summary"] == "1/1"


async def test_stores_are_those_of_the_namespace(world: Any) -> None:
    """Another one is unknown; a budget must be in the same."""
    await put(world, "api", "mail", GENERAL, store="other")
    await world.settle()
    assert (await conditions(world))["Accepted"] == "False/StoreUnknown"
    assert world.store.documents == {}
    world.site = Site(stores=(StoreEntry("default"), StoreEntry("second")), cluster_id="here")
    world.restart()
    await world.put_budget("database", store="second")
    await put(world, "web", "mail", SHARED)
    await world.settle()
    assert (await conditions(world, "web"))["Accepted"] == "False/StoreMismatch"
    assert "a surface can share only budgets of its own store" in await world.message("web", "Accepted", HTTP_POLICY)


async def test_a_broken_spec_leaves_the_last_good_limits(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CRD of an earlier version may have let it in."""
    await put(world)
    await world.settle()
    monkeypatch.setattr("headgate_cli.local.memory_cluster._check_schema", lambda *_: None)
    await put(world, "api", "mail", {"name": "general"})
    await world.settle()
    assert (await conditions(world))["Accepted"] == "False/InvalidSpec"
    assert await world.message("api", "Accepted", HTTP_POLICY) == (
        "spec.rules[0]: a rule needs rate, inFlight or budgetRefs"
    )
    assert published(world).rules[0].rate is not None


async def test_a_rule_that_could_match_nothing_is_refused(world: Any) -> None:
    """It would limit nothing in silence; the limits before it stay."""
    await put(world)
    await world.settle()
    path = {"value": "/api/campaigns/{id}/schedule"}
    await put(world, "api", "mail", {"name": "start", "inFlight": 1, "match": {"paths": [path]}})
    await world.settle()
    assert (await conditions(world))["Accepted"] == "False/InvalidSpec"
    assert await world.message("api", "Accepted", HTTP_POLICY) == (
        "spec.rules[0].match.paths[0].value: /api/campaigns/{id}/schedule has a parameter in it, "
        "which only type: Template knows."
    )
    assert published(world).rules[0].name == "general"


async def test_a_deleted_policy_is_unpublished(world: Any) -> None:
    """Also when nobody saw it go."""
    await put(world)
    await put(world, "web")
    await world.settle()
    await world.remove("api", kind=HTTP_POLICY)
    await world.settle()
    assert world.store.documents.keys() == {"http/web"}
    world.deaf = True
    await world.remove("web", kind=HTTP_POLICY)
    world.deaf = False
    world.restart()
    await world.settle(prime=True)
    assert world.store.documents == {}


async def test_a_policy_made_anew_for_another_surface_leaves_nothing_behind(world: Any) -> None:
    """Delete and create between two looks: a change of the immutable field by another name."""
    await put(world, "api", "mail", GENERAL, surface="first")
    await world.settle()
    world.deaf = True
    await world.remove("api", kind=HTTP_POLICY)
    world.deaf = False
    await put(world, "api", "mail", GENERAL, surface="second")
    await world.settle()
    assert world.store.documents.keys() == {"http/second"}
    assert (await world.get("api", HTTP_POLICY))["status"]["surface"] == "second"


async def test_a_store_that_goes_away_is_told_and_lost_data_is_published_again(world: Any) -> None:
    """As for queues."""
    await put(world)
    await world.settle()
    world.clock.seconds += 1
    world.store.lose_everything()
    await world.settle(prime=True)
    assert published(world).rules
    world.store.fault = StoreUnavailable("no answer")
    world.clock.seconds += 16
    await world.controller.observe()
    await world.controller.work_off()
    assert (await conditions(world))["Enforced"] == "Unknown/StoreUnreachable"
    world.store.fault = None
    await world.settle()
    assert await conditions(world) == IN_FORCE


async def test_surfaces_are_looked_at_only_where_there_are_any(world: Any) -> None:
    """A fleet without HTTP limits pays nothing for them."""
    await world.put("emails")
    await world.settle(prime=True)
    assert world.store.http_looks == 0
    await put(world)
    await world.settle()
    assert world.store.http_looks > 0
