"""Children: brought back, repaired, adopted, left alone, pruned."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import DEPLOYMENT, NETWORK_POLICY, QUEUE_POLICY, SERVICE_ACCOUNT, Key

from .world import ALL_GOOD

ORPHANED = {"metadata": {"name": "emails-worker", "namespace": "mail"}, "apiVersion": "apps/v1", "kind": "Deployment"}


@pytest.mark.parametrize("kind", [DEPLOYMENT, NETWORK_POLICY, SERVICE_ACCOUNT], ids=lambda kind: kind.kind)
async def test_a_deleted_child_comes_back(kind: Any, world: Any) -> None:
    """Its event calls its policy."""
    await world.put("emails")
    await world.settle()
    before = world.end_state()
    await world.remove("emails-worker", kind=kind)
    assert world.end_state() != before
    await world.settle()
    assert world.end_state() == before


async def test_an_edited_child_is_repaired(world: Any) -> None:
    """The hash annotation stays through an edit, so the generation tells."""
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    deployment["spec"]["replicas"] = 7
    await world.cluster.put(DEPLOYMENT, deployment)
    await world.settle()
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"]["replicas"] == 2


async def test_a_removed_label_is_put_back(world: Any) -> None:
    """It changes no generation, and without it the watch would lose the child."""
    await world.put("emails")
    await world.settle()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    del deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    await world.cluster.put(DEPLOYMENT, deployment)
    await world.settle(prime=True)
    labels = (await world.get("emails-worker", DEPLOYMENT))["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "headgate"


async def test_a_fight_over_a_child_is_told(world: Any) -> None:
    """Five repairs in ten minutes."""
    await world.put("emails")
    await world.settle()
    for number in range(5):
        world.clock.seconds += 20
        deployment = await world.get("emails-worker", DEPLOYMENT)
        deployment["spec"]["replicas"] = 10 + number
        await world.cluster.put(DEPLOYMENT, deployment)
        world._play_workers()
        await world.settle()
    assert (await world.conditions("emails"))["Degraded"] == "True/DriftFight"
    assert "Deployment emails-worker" in await world.message("emails", "Degraded")
    world.clock.seconds += 600
    world._play_workers()
    await world.settle(prime=True)
    assert (await world.conditions("emails"))["Degraded"] == "False/AsExpected"


async def test_a_foreign_deployment_is_left_alone(world: Any) -> None:
    """It has our name and was there first. The limits hold all the same."""
    foreign = {**ORPHANED, "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "x"}]}}}}
    await world.cluster.put(DEPLOYMENT, foreign)
    await world.put("emails")
    await world.settle()
    found = await world.conditions("emails")
    assert (found["WorkersReady"], found["Ready"]) == ("False/NotOwned", "False/NotOwned")
    assert "Deployment mail/emails-worker was not made by Headgate" in await world.message("emails", "WorkersReady")
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"] == foreign["spec"]
    assert "queue/emails" in world.store.documents
    await world.remove("emails-worker", kind=DEPLOYMENT)
    await world.settle(prime=True)
    assert await world.conditions("emails") == ALL_GOOD


async def test_what_an_orphaning_deletion_left_is_adopted(world: Any) -> None:
    """kubectl delete --cascade=orphan, then apply again: the same Deployment goes on."""
    await world.put("emails")
    await world.settle()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    uid = deployment["metadata"]["uid"]
    deployment["metadata"]["ownerReferences"] = []
    world.deaf = True
    await world.cluster.put(DEPLOYMENT, deployment)
    await world.remove("emails")
    world.deaf = False
    await world.put("emails")
    await world.settle()
    adopted = (await world.get("emails-worker", DEPLOYMENT))["metadata"]
    owner = (await world.get("emails"))["metadata"]["uid"]
    assert (adopted["uid"], adopted["ownerReferences"][0]["uid"]) == (uid, owner)


async def test_the_child_of_a_deleted_namesake_is_waited_for(world: Any) -> None:
    """Garbage collection has not taken it yet; it is not foreign, and we look again soon."""
    leaving = {**ORPHANED, "spec": {"replicas": 1}}
    owner = {"apiVersion": "headgate.dev/v1alpha1", "kind": "QueuePolicy", "name": "emails", "uid": "of-old"}
    leaving["metadata"] = {**ORPHANED["metadata"], "ownerReferences": [{**owner, "controller": True}]}
    world.cluster._by_uid["of-old"] = ("not", "yet", "collected")
    await world.cluster.put(DEPLOYMENT, leaving)
    await world.put("emails")
    assert await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails")) == 2.0
    assert (await world.conditions("emails"))["WorkersReady"] == "Unknown/NotReconciled"
    await world.remove("emails-worker", kind=DEPLOYMENT)
    await world.settle(prime=True)
    assert await world.conditions("emails") == ALL_GOOD


async def test_a_named_account_prunes_ours(world: Any) -> None:
    """What is ours and no longer wanted goes."""
    await world.put("emails")
    await world.settle()
    await world.put("emails", workers={"template": {"spec": {"serviceAccountName": "mailer"}}})
    await world.settle()
    assert await world.cluster.get(SERVICE_ACCOUNT, "mail", "emails-worker") is None
    assert await world.conditions("emails") == ALL_GOOD
