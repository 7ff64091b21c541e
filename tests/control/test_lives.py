"""A policy that ends, that ends while we are away, that begins anew; a process and a cluster that begin anew."""

from __future__ import annotations

from typing import Any

from headgate.control.ports import BUDGET, QUEUE_POLICY

from .world import ALL_GOOD


async def test_a_restart_costs_no_op_applies_only(world: Any) -> None:
    """No object gets another resourceVersion, no document another revision."""
    await world.put("emails")
    await world.settle()
    before = world.snapshot()[:2]
    world.restart()
    await world.settle(prime=True)
    assert world.snapshot()[:2] == before


async def test_a_deleted_policy_is_gone_everywhere(world: Any) -> None:
    """Children by garbage collection, the document by us; no finalizer held it up."""
    await world.put("emails")
    await world.settle()
    assert "finalizers" not in (await world.get("emails"))["metadata"]
    await world.remove("emails")
    await world.settle()
    assert world.end_state() == {}
    assert not world.controller.memory.keys()


async def test_a_policy_deleted_while_we_were_away_is_unpublished_on_return(world: Any) -> None:
    """By the owners that the store records; those of another cluster are left alone."""
    await world.put("emails")
    await world.put_budget("provider")
    await world.settle()
    theirs = type(next(iter(world.store.gates.store.owners.values())).owner)("mail/theirs", "u", 1, "elsewhere")
    world.store.gates.publish(world.document("emails").model_copy(update={"queue": "theirs"}), theirs)
    world.deaf = True
    await world.remove("emails")
    await world.remove("provider", kind=BUDGET)
    world.deaf = False
    world.restart()
    await world.settle(prime=True)
    assert set(world.store.documents) == {"queue/theirs"}


async def test_a_policy_made_anew_with_other_limits_rules(world: Any) -> None:
    """Generation starts at 1 again; the uid tells that it is another life."""
    await world.put("emails", concurrency={"total": 10})
    for total in range(11, 16):
        await world.put("emails", concurrency={"total": total})
    await world.settle()
    world.deaf = True
    await world.remove("emails")
    world.deaf = False
    await world.put("emails", concurrency={"total": 3})
    await world.settle()
    assert world.document("emails").total == 3
    assert await world.conditions("emails") == ALL_GOOD


async def test_a_policy_made_anew_for_another_queue_leaves_nothing_behind(world: Any) -> None:
    """Seen at once while we run, by the resync when we were away."""
    for restart in (False, True):
        await world.put("emails", queue="old")
        await world.settle()
        world.deaf = True
        await world.remove("emails")
        world.deaf = False
        await world.put("emails", queue="new")
        if restart:
            world.restart()
        await world.settle(prime=restart)
        assert set(world.store.documents) == {"queue/new"}
        await world.remove("emails")
        await world.settle()


async def test_a_cluster_restored_from_a_backup_goes_on(world: Any) -> None:
    """Its generation is older than what the store recorded; the restored limits rule."""
    await world.put("emails", concurrency={"total": 10})
    for total in range(11, 16):
        await world.put("emails", concurrency={"total": total})
    await world.settle()
    stored = world.cluster._objects[(QUEUE_POLICY, "mail", "emails")].manifest
    stored["metadata"]["generation"] = 1
    stored["spec"] = {"concurrency": {"total": 10}}
    world.restart()
    await world.settle(prime=True)
    assert world.document("emails").total == 10
