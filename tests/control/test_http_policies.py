"""Reconcile of HTTPPolicy: what is published, who rules a surface, and who has it in use."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import BUDGET, HTTP_POLICY
from headgate.control.stores import Site, StoreEntry
from headgate.errors import StoreUnavailable
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, RateDocument

GENERAL = {"name": "general", "rate": {"limit": 100, "periodSeconds": 900}}
SHARED = {"name": "heavy", "inFlight": 5, "budgetRefs": [{"name": "database"}]}
IN_FORCE = {"Accepted": "True/Valid", "Enforced": "True/NoInstances", "Ready": "True/InForce"}


async def put(world: Any, name: str = "api", namespace: str = "mail", *rules: dict[str, Any], **spec: Any) -> None:
    await world.put(name, namespace, HTTP_POLICY, rules=list(rules or (GENERAL,)), **spec)


async def conditions(world: Any, name: str = "api", namespace: str = "mail") -> dict[str, str]:
    found: dict[str, str] = await world.conditions(name, HTTP_POLICY, namespace)
    return found


def published(world: Any, surface: str = "api") -> HttpDocument:
    found = world.store.documents[f"http/{surface}"]
    assert isinstance(found, HttpDocument)
    return found


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


async def test_a_missing_budget_is_named_and_the_last_good_limits_stay(world: Any) -> None:
    """Which rule, which reference, which name; and it heals when the budget comes."""
    await put(world)
    await world.settle()
    await put(world, "api", "mail", GENERAL, SHARED)
    await world.settle()
    found = await conditions(world)
    assert (found["Accepted"], found["Enforced"]) == ("False/BudgetNotFound", "False/NotPublished")
    assert await world.message("api", "Accepted", HTTP_POLICY) == (
        "spec.rules[1].budgetRefs[0].name: there is no Budget mail/database, create it or remove the reference."
    )
    assert "Revision 1, of an earlier spec" in await world.message("api", "Enforced", HTTP_POLICY)
    assert len(published(world).rules) == 1
    assert (await world.get("api", HTTP_POLICY))["status"]["rules"] == 1
    await world.put_budget("database")
    await world.settle()
    assert await conditions(world) == IN_FORCE
    assert published(world).rules[1].budgets[0].name == "mail/database"


async def test_a_budget_counts_requests_as_members_and_stays_for_them(world: Any) -> None:
    """They demand nothing that could be counted; its gate outlives it while a rule names it."""
    await world.put_budget("database")
    await world.put("emails", budgetRefs=[{"name": "database"}])
    await put(world, "api", "mail", SHARED)
    await world.settle()
    status = (await world.get("database", BUDGET))["status"]
    assert (status["members"], status["demand"]) == (["HTTPPolicy/api", "QueuePolicy/emails"], 3)
    await world.remove("emails")
    await world.remove("database", kind=BUDGET)
    await world.settle()
    assert (await conditions(world))["Accepted"] == "False/BudgetNotFound"
    assert world.store.documents.keys() == {"budget/mail/database", "http/api"}
    await put(world)
    await world.settle()
    assert world.store.documents.keys() == {"http/api"}, "nobody names it any more"


async def test_a_budget_is_kept_for_requests_after_a_restart(world: Any) -> None:
    """The resync notes who names it before the budget's own turn comes."""
    await world.put_budget("database")
    await put(world, "api", "mail", SHARED)
    await world.settle()
    world.deaf = True
    await world.remove("database", kind=BUDGET)
    world.deaf = False
    world.restart()
    await world.settle(prime=True)
    assert "budget/mail/database" in world.store.documents
    assert (await conditions(world))["Accepted"] == "False/BudgetNotFound"


async def test_a_budget_that_only_the_last_good_limits_name_is_kept_after_a_restart(world: Any) -> None:
    """What is in force is read from the store: the spec that replaced it is not accepted."""
    await world.put_budget("database")
    await put(world, "api", "mail", SHARED)
    await world.settle()
    await put(world, "api", "mail", {"name": "r", "budgetRefs": [{"name": "nowhere"}]})
    await world.settle()
    world.restart()
    await world.settle(prime=True)
    assert (await world.get("database", BUDGET))["status"]["members"] == ["HTTPPolicy/api"]
    await world.remove("database", kind=BUDGET)
    await world.settle()
    assert world.store.documents.keys() == {"budget/mail/database", "http/api"}


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


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"name": "r", "inFlight": 3}, "inFlight"),
        ({**GENERAL, "count": "Failures"}, "count"),
        ({"name": "r", "budgetRefs": [{"name": "database"}]}, "budgetRefs"),
    ],
)
async def test_a_proxy_that_never_tells_the_end_is_not_enough(rule: dict[str, Any], field: str, world: Any) -> None:
    """The rule is refused while such a proxy asks; what was in force stays, and it heals by itself."""
    await world.put_budget("database")
    await put(world)
    await world.settle()
    world.store.serve("api", "authz_api-1-aaaaaa")
    await world.settle()
    await put(world, "api", "mail", rule)
    await world.settle()
    found = await conditions(world)
    assert (found["Accepted"], found["Ready"]) == ("False/NeedsMiddleware", "False/NeedsMiddleware")
    assert f"spec.rules[0].{field}: a proxy asks" in await world.message("api", "Accepted", HTTP_POLICY)
    assert published(world).rules[0].name == "general"
    await world.later(30)
    assert (await conditions(world))["Ready"] == "True/InForce"
    assert published(world).rules[0].name == rule["name"]


async def test_a_proxy_is_enough_for_rates(world: Any) -> None:
    """And for a budget that only counts starts."""
    await world.put("database", kind=BUDGET, rate={"total": {"limit": 5, "periodSeconds": 1}})
    await put(world, "api", "mail", GENERAL, {"name": "r", "budgetRefs": [{"name": "database"}]})
    world.store.serve("api", "authz_api-1-aaaaaa")
    await world.settle()
    assert (await conditions(world))["Accepted"] == "True/Valid"


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
