"""Rules that name budgets, and rules that must know how a request ends."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import BUDGET, HTTP_POLICY

from .surfaces import GENERAL, IN_FORCE, SHARED, conditions, published, put


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


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_policy_that_lost_its_surface_or_queue_is_no_member_at_any_resync(world: Any, restarted: bool) -> None:
    """Noted and struck out again at each resync, it would write the budget's status twice each time."""
    await world.put_budget("provider")
    refs = [{"name": "provider"}]
    rule = {"name": "all", "inFlight": 3}
    await world.put("web", kind=HTTP_POLICY, surface="s", rules=[rule])
    await world.put("emails", queue="q")
    world.clock.seconds += 10
    await world.put("late", kind=HTTP_POLICY, surface="s", rules=[{**rule, "budgetRefs": refs}])
    await world.put("late-too", queue="q", budgetRefs=refs)
    await world.settle(prime=True)
    assert (await world.get("provider", BUDGET))["status"]["members"] == []
    if restarted:
        world.restart()
    world.forget_writes()
    await world.settle(prime=True)
    assert [write for write in world.writes if write.endswith("Budget/provider")] == []
