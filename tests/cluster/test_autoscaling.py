"""workers.autoscaling on a real API server: the number goes through /scale, and the right pods go."""

import contextlib
import json
from typing import Any

import redis

from headgate.control.autoscaler import DELETION_COST
from headgate.gates.door import Door
from headgate.gates.verbs import Beat, Holding, SlotBeat

from .operator_fixtures import World
from .operator_process import OperatorProcess, policy, until

RULES = {"minReplicas": 1, "maxReplicas": 4, "targetBacklogPerSlot": 5, "scaleDownStabilizationSeconds": 5}


def enqueue(world: World, count: int) -> None:
    """So many jobs wait."""
    with redis.Redis.from_url(world.store_url) as client:
        client.delete("rq:queue:emails")
        if count:
            client.rpush("rq:queue:emails", *(f"job-{number}" for number in range(count)))


def replicas(world: World) -> int:
    return int((world.get("queuepolicy/emails") or {})["spec"]["workers"]["replicas"])


def pods(world: World) -> dict[str, dict[str, Any]]:
    items = json.loads(world.kubectl("get", "pods", "-l", "headgate.dev/queue-policy=emails", "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items if "deletionTimestamp" not in item["metadata"]}


def renew(world: World, pod: str, busy: int) -> None:
    """As its worker does every five seconds, with so many jobs in hand."""
    holdings = [Holding("emails", f"{pod}-x.{n}", f"job-{n}", f"e{n}", n, ()) for n in range(busy)]
    with contextlib.closing(Door(world.store_url)) as door:
        door.renew(Beat(f"{pod}-x", pod, "emails", 1, (SlotBeat(f"{pod}-x.0"),), holdings))


def test_a_backlog_scales_out_and_its_end_scales_in_to_the_busy_pod(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("emails", concurrency={"perWorker": 2}, workers={"autoscaling": RULES}))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    enqueue(world, 500)
    until(lambda: replicas(world) == 4, "four workers")
    until(lambda: len(pods(world)) == 4, "their pods")
    found = world.get("queuepolicy/emails") or {}
    writers = {
        (entry["manager"], entry.get("subresource"))
        for entry in found["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {}).get("f:workers", {})
    }
    assert writers == {("headgate-autoscaler", "scale")}
    busy = sorted(pods(world))[2]
    assert not any(DELETION_COST in pod["metadata"].get("annotations", {}) for pod in pods(world).values())
    renew(world, busy, busy=1)  # whoever sees the queue empty sees the pod busy
    enqueue(world, 0)

    def scaled_in() -> bool:
        renew(world, busy, busy=1)
        return replicas(world) == 1

    until(scaled_in, "one worker again", 60)
    until(lambda: len(pods(world)) == 1, "one pod")
    (left,) = pods(world).values()
    assert left["metadata"]["name"] == busy
    assert left["metadata"]["annotations"][DELETION_COST] == "1"
    events = json.loads(world.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    notes = [event["note"] for event in events if event["reason"] in ("ScaledOut", "ScaledIn")]
    assert sorted(notes) == [
        "Workers from 1 to 4: 500 jobs wait, 0 run.",
        "Workers from 4 to 1: 0 jobs wait, 0 run.",
    ]
    labels = f'direction="out",name="emails",namespace="{world.namespace}"'
    assert operator.metric(f"headgate_scalings_total{{{labels}}}") == 1.0
    labels = f'name="emails",namespace="{world.namespace}"'
    assert operator.metric(f"headgate_queue_workers_wanted{{{labels}}}") == 1.0


def test_another_writer_of_the_number_is_named(world: World, operator: OperatorProcess) -> None:
    """And not written over at once: whoever it is reads status first."""
    world.apply(policy("emails", concurrency={"perWorker": 2}, workers={"autoscaling": RULES}))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    enqueue(world, 500)
    until(lambda: replicas(world) == 4, "four workers")
    world.kubectl("scale", "queuepolicy/emails", "--replicas=2")
    world.await_condition("queuepolicy/emails", "Degraded", "True", "ScaleFight")
    assert "kubectl" in world.message("queuepolicy/emails", "Degraded")
    assert replicas(world) == 2


def test_without_autoscaling_scale_is_anybodys(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("emails", workers={"replicas": 1}))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    enqueue(world, 500)
    world.kubectl("scale", "queuepolicy/emails", "--replicas=3")
    until(lambda: (world.get("deployment/emails-worker") or {})["spec"]["replicas"] == 3, "three workers")
    assert replicas(world) == 3
    assert world.condition("queuepolicy/emails", "Degraded") == ("False", "AsExpected")
