"""Reconcile of a policy, seen from outside: children, documents, status, and how many writes they cost."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import DEPLOYMENT, POD, QUEUE_POLICY, Key

from .world import ALL_GOOD


async def test_a_policy_becomes_children_a_document_and_a_status(world: Any) -> None:
    """From nothing to Ready."""
    await world.put("emails", concurrency={"perWorker": 5, "total": 4}, workers={"replicas": 2})
    await world.settle()
    assert await world.conditions("emails") == ALL_GOOD
    assert {kind.kind for kind, _, name in world.cluster._objects if name == "emails-worker"} == {
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Deployment",
    }
    assert world.document("emails").total == 4
    status = (await world.get("emails"))["status"]
    assert status["capacity"] == {"slots": 10, "bound": 4, "boundBy": "total"}
    assert status["enforcement"] | {"revision": 0} == {
        "revision": 0,
        "expected": 2,
        "acknowledged": 2,
        "summary": "2/2",
    }
    assert (status["queue"], status["replicas"], status["readyReplicas"]) == ("emails", 2, 2)
    assert status["selector"].split(",")[-1] == "headgate.dev/queue-policy=emails"


async def test_all_conditions_are_there_after_the_first_visit(world: Any) -> None:
    """Also of a policy with which nothing can be done."""
    await world.put("emails", store="nowhere")
    await world.controller.work_off()
    found = await world.conditions("emails")
    assert found == {
        "Accepted": "False/StoreUnknown",
        "Enforced": "False/NotPublished",
        "WorkersReady": "Unknown/NotReconciled",
        "Throttled": "False/Free",
        "Degraded": "False/AsExpected",
        "Ready": "False/StoreUnknown",
    }
    assert "name one of these: default" in await world.message("emails", "Accepted")


async def test_a_second_run_writes_nothing(world: Any) -> None:
    """Ten resyncs, zero writes: to the cluster, to the store, no Event."""
    for name in ("emails", "campaigns"):
        await world.put(name, budgetRefs=[{"name": "provider"}])
    await world.put_budget("provider")
    await world.settle()
    world.forget_writes()
    events = len(world.cluster.events)
    for _ in range(10):
        world.clock.seconds += 300
        world._play_workers()
        await world.settle(prime=True)
    assert (world.writes, len(world.cluster.events)) == ([], events)


async def test_changing_a_limit_touches_no_child(world: Any) -> None:
    """One publication, then status: no pod rolls."""
    await world.put("emails", concurrency={"total": 10})
    await world.settle()
    world.forget_writes()
    await world.put("emails", concurrency={"total": 2})
    await world.settle()
    assert world.document("emails").total == 2
    assert world.store.writes == ["publish queue"]
    assert {write.split()[0] for write in world.cluster.writes} == {"status"}
    assert await world.conditions("emails") == ALL_GOOD


async def test_the_limits_are_there_before_the_first_pod(world: Any) -> None:
    """A worker never starts without its limits."""
    seen: list[bool] = []
    world.cluster.watch(
        lambda _, kind, __: seen.append("queue/emails" in world.store.documents) if kind is DEPLOYMENT else None
    )
    await world.put("emails")
    await world.settle()
    assert seen
    assert all(seen)


async def test_enforced_waits_for_every_worker(world: Any) -> None:
    """A worker that still has the earlier revision in use is counted, and named by the number."""
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    earlier = (await world.get("emails"))["status"]["revision"]
    await world.put("emails", workers={"replicas": 2}, concurrency={"perWorker": 4})
    await world.controller.work_off()
    world.clock.seconds += 15
    world.store.renew("mail-emails-0", "emails", earlier + 1)
    world.store.renew("mail-emails-1", "emails", earlier)
    await world.controller.observe()
    await world.controller.work_off()
    assert (await world.conditions("emails"))["Enforced"] == "False/PartiallyAcknowledged"
    assert (await world.get("emails"))["status"]["enforcement"]["summary"] == "1/2"
    await world.settle()
    assert (await world.conditions("emails"))["Enforced"] == "True/AllAcknowledged"


async def test_a_terminating_pod_that_renews_must_act_too(world: Any) -> None:
    """It finishes its jobs under the limits, so it counts; and it shows as draining."""
    await world.put("emails")
    await world.settle()
    labels = {
        "headgate.dev/queue-policy": "emails",
        "app.kubernetes.io/name": "headgate",
        "app.kubernetes.io/component": "worker",
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"nodeName": "n"},
        "metadata": {"name": "old", "namespace": "mail", "labels": labels},
    }
    stored = await world.cluster.put(POD, pod)
    await world.cluster.delete(POD, "mail", "old", stored["metadata"]["uid"], grace_seconds=30)
    ready = {**pod, "metadata": {**pod["metadata"], "name": "mail-emails-0"}}
    stored = await world.cluster.put(POD, ready)
    await world.cluster.apply_status(POD, stored, {"conditions": [{"type": "Ready", "status": "True"}]})
    world.store.renew("old", "emails", 1)
    world.clock.seconds += 20
    world.store.renew("mail-emails-0", "emails", world.document("emails") and 1)
    world.store.renew("old", "emails", 0)
    await world.controller.observe()
    await world.controller.work_off()
    status = (await world.get("emails"))["status"]
    assert (status["drainingReplicas"], status["enforcement"]["summary"]) == (1, "1/2")
    assert (await world.conditions("emails"))["Enforced"] == "False/PartiallyAcknowledged"


async def test_hold_and_drain_takes_the_workers_away_and_brings_them_back(world: Any) -> None:
    """Hold keeps them. Ready says Held."""
    await world.put("emails", stopPolicy="Hold", workers={"replicas": 2})
    await world.settle()
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"]["replicas"] == 2
    found = await world.conditions("emails")
    assert (found["Throttled"], found["Ready"]) == ("True/Held", "True/Held")
    await world.put("emails", stopPolicy="HoldAndDrain", workers={"replicas": 2})
    world.clock.seconds += 30
    await world.settle()
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"]["replicas"] == 0
    assert await world.conditions("emails") == {
        "Accepted": "True/Valid",
        "Enforced": "True/NoInstances",
        "WorkersReady": "True/ScaledToZero",
        "Throttled": "True/Held",
        "Degraded": "False/AsExpected",
        "Ready": "True/Held",
    }
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    assert await world.conditions("emails") == ALL_GOOD


async def test_shadow_is_ready_and_says_so(world: Any) -> None:
    """Enforced is False on purpose."""
    await world.put("emails", mode="Shadow", concurrency={"total": 1})
    await world.settle()
    found = await world.conditions("emails")
    assert (found["Enforced"], found["Ready"]) == ("False/Shadow", "True/Shadow")
    assert (await world.get("emails"))["status"]["capacity"]["boundBy"] == "slots"


async def test_an_override_ends_by_itself(world: Any) -> None:
    """Visible in limits with its end; a new look is due right after it."""
    override = {"concurrencyTotal": 2, "reason": "provider is slow", "expireTime": "2026-11-24T00:30:00Z"}
    await world.put("emails", concurrency={"total": 10}, override=override, workers={"replicas": 9})
    await world.settle(prime=True)
    status = (await world.get("emails"))["status"]
    assert {"name": "concurrency.total", "value": "2", "source": "Override", "expireTime": "2026-11-24T00:30:00Z"} in (
        status["limits"]
    )
    assert (status["capacity"]["bound"], status["capacity"]["boundBy"]) == (2, "total")
    wait = await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails"))
    assert wait == pytest.approx(1800.2)
    world.clock.seconds += wait
    world._play_workers()
    await world.settle(prime=True)
    status = (await world.get("emails"))["status"]
    assert {"name": "concurrency.total", "value": "10", "source": "Spec"} in status["limits"]
    assert status["capacity"]["bound"] == 10


async def test_counts_are_written_at_most_every_15_seconds(world: Any) -> None:
    """Answers at once."""
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    world.forget_writes()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    await world.cluster.apply_status(DEPLOYMENT, deployment, deployment["status"] | {"replicas": 3})
    world.clock.seconds += 5
    world.store.renew("mail-emails-0", "emails", 1)
    wait = await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails"))
    assert (wait, world.cluster.writes) == (10.0, [])
    world.clock.seconds += wait
    assert await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails")) is None
    assert world.cluster.writes == ["status QueuePolicy/emails"]
    assert (await world.get("emails"))["status"]["replicas"] == 3


async def test_events_tell_each_reason_once(world: Any) -> None:
    """A Warning for what is wrong, a Normal for what is right again."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.settle()
    for _ in range(3):
        await world.settle(prime=True)
    await world.put_budget("provider")
    await world.settle()
    told = [(event.regarding, event.type_, event.reason) for event in world.cluster.events]
    assert told.count(("QueuePolicy/emails", "Warning", "BudgetNotFound")) == 1
    assert told.count(("QueuePolicy/emails", "Normal", "InForce")) == 1
    assert "spec.budgetRefs[0].name: there is no Budget mail/provider" in world.cluster.events[0].message


async def test_pods_are_listed_only_where_more_renew_than_are_ready(world: Any) -> None:
    """Thirty policies in one namespace, from nothing to Ready and through a change: no LIST of their pods."""
    listed: list[str] = []
    real = world.cluster.list

    async def list_(kind: Any, namespace: str | None = None, labels: Any = None) -> Any:
        if kind is POD:
            listed.append(labels["headgate.dev/queue-policy"])
        return await real(kind, namespace, labels)

    world.cluster.list = list_
    for number in range(30):
        await world.put(f"emails-{number}")
    await world.settle(prime=True)
    await world.put("emails-7", concurrency={"total": 1})
    await world.settle()
    assert listed == []
    world.store.renew("old", "emails-7", 1)
    await world.settle()
    assert set(listed) == {"emails-7"}
