"""Budgets: members, demand, and a gate that outlives its resource while somebody counts on it."""

from __future__ import annotations

from typing import Any

from headgate.control.ports import BUDGET


async def test_a_budget_knows_its_members_and_their_demand(world: Any) -> None:
    """Demand is what they would run at once without it."""
    refs = [{"name": "provider"}]
    await world.put("campaigns", budgetRefs=refs, concurrency={"perWorker": 5})
    await world.put("emails", budgetRefs=refs, concurrency={"perWorker": 5, "total": 2})
    await world.put_budget("provider", 4)
    await world.settle()
    status = (await world.get("provider", BUDGET))["status"]
    assert status["members"] == ["QueuePolicy/campaigns", "QueuePolicy/emails"]
    assert status["demand"] == 7
    assert await world.conditions("provider", BUDGET) == {
        "Accepted": "True/Valid",
        "Enforced": "True/Published",
        "Ready": "True/InForce",
    }
    assert (await world.get("campaigns"))["status"]["capacity"] == {
        "slots": 5,
        "bound": 4,
        "boundBy": "budget/provider",
    }


async def test_a_change_of_a_budget_shows_in_its_members(world: Any) -> None:
    """Their bound counts with it."""
    await world.put("campaigns", budgetRefs=[{"name": "provider"}], concurrency={"perWorker": 5})
    await world.put_budget("provider", 4)
    await world.settle()
    await world.put_budget("provider", 2)
    await world.settle()
    assert (await world.get("campaigns"))["status"]["capacity"]["bound"] == 2


async def test_a_budget_without_members_says_so(world: Any) -> None:
    """It is published all the same."""
    await world.put_budget("provider")
    await world.settle()
    assert (await world.conditions("provider", BUDGET))["Enforced"] == "True/Unreferenced"
    assert "budget/mail/provider" in world.store.documents


async def test_a_budget_that_comes_later_heals_its_members(world: Any) -> None:
    """No resync is needed for it."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/BudgetNotFound"
    assert world.store.documents == {}
    await world.put_budget("provider")
    await world.settle()
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"


async def test_a_deleted_budget_goes_on_bounding_its_members(world: Any) -> None:
    """A mistake must not open a gate. With the last reference the gate goes."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.put_budget("provider", 4)
    await world.settle()
    await world.remove("provider", kind=BUDGET)
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/BudgetNotFound"
    assert world.store.documents["budget/mail/provider"].total == 4
    assert world.document("emails").budgets[0].name == "mail/provider"
    world.restart()
    await world.settle(prime=True)
    assert "budget/mail/provider" in world.store.documents
    await world.put("emails")
    await world.settle()
    assert "budget/mail/provider" not in world.store.documents
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"


async def test_a_budget_made_anew_is_taken_up(world: Any) -> None:
    """Another uid, other numbers; and also the very same ones, which the store would call no change."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    for total in (4, 4, 9):
        await world.put_budget("provider", total)
        await world.settle()
        assert (await world.conditions("emails"))["Accepted"] == "True/Valid"
        assert world.store.documents["budget/mail/provider"].total == total
        await world.remove("provider", kind=BUDGET)
        await world.settle()
        assert (await world.conditions("emails"))["Accepted"] == "False/BudgetNotFound"


async def test_a_reference_that_an_unaccepted_spec_dropped_still_counts(world: Any) -> None:
    """The last good limits name the budget, so its gate stays."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.put_budget("provider")
    await world.settle()
    await world.put("emails", workers={"template": {"spec": {"volumes": "x"}}})
    await world.settle()
    await world.remove("provider", kind=BUDGET)
    await world.settle()
    assert "budget/mail/provider" in world.store.documents


async def test_budgets_of_other_namespaces_are_other_budgets(world: Any) -> None:
    """A reference resolves in its own namespace only."""
    await world.put_budget("provider", namespace="shop")
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/BudgetNotFound"
    assert "no Budget mail/provider" in await world.message("emails", "Accepted")


async def test_a_budget_with_an_unknown_store(world: Any) -> None:
    """It says which would be right."""
    await world.put_budget("provider", store="other")
    await world.settle()
    assert await world.conditions("provider", BUDGET) == {
        "Accepted": "False/StoreUnknown",
        "Enforced": "False/NotPublished",
        "Ready": "False/StoreUnknown",
    }


async def test_a_policy_that_goes_leaves_its_budgets(world: Any) -> None:
    """Members and demand follow."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.put_budget("provider")
    await world.settle()
    await world.remove("emails")
    world.clock.seconds += 15
    await world.settle()
    status = (await world.get("provider", BUDGET))["status"]
    assert (status["members"], status["demand"]) == ([], 0)
    assert (await world.conditions("provider", BUDGET))["Enforced"] == "True/Unreferenced"
