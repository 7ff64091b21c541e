"""Autoscaling as the cluster sees it: who writes workers.replicas, when, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headgate.control.autoscaler import DELETION_COST
from headgate.control.ports import DEPLOYMENT, POD, QUEUE_POLICY, Key
from headgate.gates.verbs import Blocker

RULES = {"minReplicas": 1, "maxReplicas": 6, "targetBacklogPerSlot": 5, "scaleDownStabilizationSeconds": 60}
PER_WORKER = {"perWorker": 2}
EMAILS = Key(QUEUE_POLICY, "mail", "emails")


async def replicas(world: Any) -> tuple[int, int]:
    """Of the policy and of its Deployment."""
    policy, deployment = await world.get("emails"), await world.get("emails-worker", DEPLOYMENT)
    return policy["spec"]["workers"].get("replicas", 1), deployment["spec"]["replicas"]


async def pass_time(world: Any, seconds: int) -> None:
    """As the operator lives through it: it looks every five seconds."""
    for _ in range(seconds // 5):
        world.clock.seconds += 5
        world._play_workers()
        await world.controller.observe()
        await world.settle()


def jobs(world: Any, queued: int, running: int = 0, due: int = 0) -> None:
    world.store.shown["emails"] = {"queued": queued, "running": running, "due": due}


async def start(world: Any, **spec: Any) -> None:
    await world.put("emails", **{"concurrency": PER_WORKER, "workers": {"autoscaling": RULES}, **spec})
    await world.settle(prime=True)


def scalings(world: Any) -> list[str]:
    return [event.message for event in world.cluster.events if event.reason in ("ScaledOut", "ScaledIn")]


async def test_a_backlog_brings_workers_at_once_and_its_end_takes_them_after_the_window(world: Any) -> None:
    await start(world)
    assert await replicas(world) == (1, 1)
    jobs(world, queued=28, running=2, due=5)
    await pass_time(world, 5)
    assert await replicas(world) == (4, 4)
    assert scalings(world) == ["Workers from 1 to 4: 33 jobs wait, 2 run."]
    jobs(world, queued=0)
    await pass_time(world, 55)
    assert await replicas(world) == (4, 4)
    await pass_time(world, 10)
    assert await replicas(world) == (1, 1)
    assert scalings(world)[1:] == ["Workers from 4 to 1: 0 jobs wait, 0 run."]


async def test_no_worker_more_than_its_gates_give_work(world: Any) -> None:
    """Three places: two workers of two slots. An override, whoever set it, counts while it is in force."""
    override = {"concurrencyTotal": 1, "reason": "provider slow", "expireTime": "2026-11-24T00:02:00Z"}
    await start(world, concurrency={**PER_WORKER, "total": 3}, override=override)
    jobs(world, queued=500)
    await pass_time(world, 60)
    assert await replicas(world) == (1, 1)
    await pass_time(world, 70)
    assert await replicas(world) == (2, 2)


async def test_a_budget_bounds_it_too(world: Any) -> None:
    await world.put_budget("provider", 5)
    await start(world, budgetRefs=[{"name": "provider"}])
    jobs(world, queued=500)
    await pass_time(world, 10)
    assert await replicas(world) == (3, 3)


async def test_what_runs_keeps_its_workers(world: Any) -> None:
    await start(world)
    jobs(world, queued=100, running=8)
    await pass_time(world, 5)
    assert await replicas(world) == (6, 6)
    jobs(world, queued=0, running=8)
    await pass_time(world, 120)
    assert await replicas(world) == (4, 4)


async def test_a_stopped_queue_gets_no_workers(world: Any) -> None:
    await start(world, stopPolicy="Hold")
    jobs(world, queued=500)
    await pass_time(world, 60)
    assert await replicas(world) == (1, 1)
    assert world.controller.autoscaler.wanted() == {EMAILS: 1}


async def test_nor_does_one_that_rq_suspended_until_it_is_resumed(world: Any) -> None:
    await start(world)
    world.store.shown["emails"] = {"queued": 500, "blocked_by": Blocker.STOP}
    await pass_time(world, 60)
    assert await replicas(world) == (1, 1)
    jobs(world, queued=500)
    await pass_time(world, 5)
    assert await replicas(world) == (6, 6)
    assert world.controller.autoscaler.wanted() == {EMAILS: 6}


async def test_busy_pods_are_priced_just_before_a_scale_in(world: Any) -> None:
    """And at no other time: a price for every job would be a write for every job."""
    await start(world)
    jobs(world, queued=100)
    await pass_time(world, 5)
    pods = [await pod(world, number) for number in range(3)]
    await pass_time(world, 50)
    assert [await cost(world, name) for name in pods] == [None, None, None]
    found = world.store.gates.inspect().queues["emails"].instances[0]
    busy = [replace_busy(found, pods[1], 2), replace_busy(found, pods[2], 1), replace_busy(found, pods[0], 0)]
    world.store.shown["emails"] = {"queued": 0, "running": 3, "due": 0, "instances": busy}
    await pass_time(world, 65)
    assert await replicas(world) == (2, 2)
    assert [await cost(world, name) for name in pods] == [None, "2", "1"]


def replace_busy(instance: Any, pod: str, busy: int) -> Any:
    return replace(instance, name=f"{pod}-aaaaaa", pod=pod, busy=busy)


async def pod(world: Any, number: int) -> str:
    deployment = await world.get("emails-worker", DEPLOYMENT)
    name = f"emails-worker-{number}"
    labels = deployment["spec"]["selector"]["matchLabels"]
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "mail", "labels": labels},
        "spec": {"containers": [{"name": "worker", "image": "app"}]},
    }
    await world.cluster.put(POD, manifest)
    return name


async def cost(world: Any, name: str) -> str | None:
    found = await world.get(name, POD)
    price: str | None = found["metadata"].get("annotations", {}).get(DELETION_COST)
    return price


async def test_another_writer_is_named_and_given_way_for_a_minute(world: Any) -> None:
    await start(world)
    jobs(world, queued=35)
    await pass_time(world, 5)
    assert await replicas(world) == (4, 4)
    found = await world.get("emails")
    owned = {"f:spec": {"f:workers": {"f:replicas": {}}}}
    found["metadata"]["managedFields"] = [
        {"manager": "headgate-autoscaler", "time": "2026-11-24T00:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "keda-operator", "time": "2026-11-24T00:01:00Z", "fieldsV1": owned},
    ]
    found["spec"]["workers"]["replicas"] = 2
    await world.cluster.put(QUEUE_POLICY, found)
    await pass_time(world, 50)
    assert await replicas(world) == (2, 2)
    assert (await world.conditions("emails"))["Degraded"] == "True/ScaleFight"
    assert "keda-operator writes workers.replicas too" in await world.message("emails", "Degraded")
    assert await world.controller.reconcile(EMAILS) == 15.0, "the minute's rest"
    await pass_time(world, 15)
    await world.controller.reconcile(EMAILS)
    await world.settle()
    assert await replicas(world) == (4, 4)
    await pass_time(world, 540)
    await world.controller.reconcile(EMAILS)
    assert (await world.conditions("emails"))["Degraded"] == "False/AsExpected"


async def test_without_autoscaling_whoever_writes_the_number_is_right(world: Any) -> None:
    """kubectl scale, an HPA, KEDA; and what autoscaling wrote last stays when it is removed."""
    await start(world)
    jobs(world, queued=35)
    await pass_time(world, 5)
    found = await world.get("emails")
    del found["spec"]["workers"]["autoscaling"]
    await world.cluster.put(QUEUE_POLICY, found)
    jobs(world, queued=0)
    await pass_time(world, 120)
    assert await replicas(world) == (4, 4)
    await world.cluster.scale(QUEUE_POLICY, await world.get("emails"), 3)
    await pass_time(world, 10)
    assert await replicas(world) == (3, 3)
    assert (await world.conditions("emails"))["Degraded"] == "False/AsExpected"


async def test_a_new_leader_waits_a_whole_window_before_it_takes_workers(world: Any) -> None:
    await start(world)
    jobs(world, queued=100)
    await pass_time(world, 5)
    jobs(world, queued=0)
    await pass_time(world, 55)
    world.restart()
    await world.settle(prime=True)
    await pass_time(world, 55)
    assert await replicas(world) == (6, 6)
    await pass_time(world, 10)
    assert await replicas(world) == (1, 1)


async def test_nothing_to_scale_writes_nothing(world: Any) -> None:
    await start(world)
    await pass_time(world, 120)
    world.forget_writes()
    await pass_time(world, 120)
    assert world.writes == []
