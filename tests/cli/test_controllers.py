"""Deployments become Pods: how many, which, in which order during a rollout, and what the status says."""

from typing import Any

import pytest

from headgate.control.ports import DEPLOYMENT, POD, Manifest
from headgate_cli.local.controllers import COST, DeploymentController
from headgate_cli.local.memory_cluster import MemoryCluster


def deployment(replicas: int = 2, *, image: str = "worker:1", **rolling: int | str) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "emails-worker", "namespace": "local"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "emails"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0, **rolling}},
            "template": {
                "metadata": {"labels": {"app": "emails"}},
                "spec": {"containers": [{"name": "worker", "image": image}]},
            },
        },
    }


class Deployments:
    """The controller step by step, with Pods that become ready when a test says so."""

    def __init__(self, cluster: MemoryCluster, clock: Any) -> None:
        self.cluster = cluster
        self.clock = clock
        self.controller = DeploymentController(cluster, clock)

    async def apply(self, manifest: Manifest) -> None:
        await self.cluster.apply(DEPLOYMENT, manifest)
        await self.step()

    async def step(self) -> None:
        for found in await self.cluster.list(DEPLOYMENT):
            await self.controller.reconcile(found)

    async def pods(self, image: str | None = None) -> list[Manifest]:
        found = await self.cluster.list(POD, "local", {"app": "emails"})
        return [pod for pod in found if image in (None, pod["spec"]["containers"][0]["image"])]

    async def make_ready(self, *pods: Manifest, status: str = "True") -> None:
        for pod in pods or await self.pods():
            live = await self.cluster.get(POD, "local", pod["metadata"]["name"])
            assert live
            conditions = [{"type": "Ready", "status": status, "lastTransitionTime": self.clock.now()}]
            await self.cluster.apply_status(POD, live, {"phase": "Running", "conditions": conditions})
        await self.step()

    async def status(self) -> Manifest:
        (found,) = await self.cluster.list(DEPLOYMENT)
        return dict(found["status"])


@pytest.fixture
def deployments(memory_cluster: MemoryCluster, clock: Any) -> Deployments:
    return Deployments(memory_cluster, clock)


async def test_as_many_pods_as_replicas_each_with_the_template_and_its_owner(deployments: Deployments) -> None:
    await deployments.apply(deployment(3))
    pods = await deployments.pods()
    assert len({pod["metadata"]["name"] for pod in pods}) == 3
    assert all(pod["metadata"]["ownerReferences"][0]["kind"] == "Deployment" for pod in pods)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"worker:1"}


async def test_the_status_counts_ready_pods_and_names_the_generation(deployments: Deployments) -> None:
    await deployments.apply(deployment(2))
    assert await deployments.status() | {"conditions": []} == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "unavailableReplicas": 2,
        "conditions": [],
    }
    await deployments.make_ready()
    status = await deployments.status()
    assert (status["readyReplicas"], status["availableReplicas"]) == (2, 2)
    conditions = {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}
    assert conditions == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


async def test_nothing_is_written_when_nothing_changed(deployments: Deployments) -> None:
    await deployments.apply(deployment(2))
    await deployments.make_ready()
    writes: list[str] = []
    deployments.cluster.watch(lambda type_, kind, _: writes.append(f"{type_} {kind.kind}"))
    await deployments.step()
    assert writes == []


async def test_a_deleted_pod_is_replaced_at_once(deployments: Deployments) -> None:
    await deployments.apply(deployment(1))
    (first,) = await deployments.pods()
    await deployments.cluster.delete(POD, "local", first["metadata"]["name"], first["metadata"]["uid"])
    await deployments.step()
    (second,) = await deployments.pods()
    assert second["metadata"]["name"] != first["metadata"]["name"]


async def test_a_rollout_never_has_fewer_ready_than_replicas_nor_more_than_one_extra(deployments: Deployments) -> None:
    await deployments.apply(deployment(3))
    await deployments.make_ready()
    await deployments.apply(deployment(3, image="worker:2"))
    for replaced in range(1, 4):
        assert len(await deployments.pods()) == 4
        assert len(await deployments.pods("worker:1")) == 4 - replaced
        await deployments.make_ready()
    assert len(await deployments.pods("worker:2")) == len(await deployments.pods()) == 3
    assert (await deployments.status())["updatedReplicas"] == 3


async def test_old_pods_that_never_became_ready_do_not_hold_up_a_rollout(deployments: Deployments) -> None:
    await deployments.apply(deployment(2))
    await deployments.apply(deployment(2, image="worker:2"))
    assert len(await deployments.pods("worker:2")) == len(await deployments.pods()) == 2


async def test_max_unavailable_makes_room_first(deployments: Deployments) -> None:
    await deployments.apply(deployment(4, maxSurge=0, maxUnavailable="50%"))
    await deployments.make_ready()
    await deployments.apply(deployment(4, image="worker:2", maxSurge=0, maxUnavailable="50%"))
    assert len(await deployments.pods("worker:1")) == 2
    assert len(await deployments.pods("worker:2")) == 2


async def test_a_pod_counts_as_available_after_min_ready_seconds(deployments: Deployments) -> None:
    manifest = deployment(1)
    manifest["spec"]["minReadySeconds"] = 60
    await deployments.apply(manifest)
    await deployments.make_ready()
    status = await deployments.status()
    assert (status["readyReplicas"], status["unavailableReplicas"], "availableReplicas" in status) == (1, 1, False)
    manifest["spec"]["minReadySeconds"] = 0
    await deployments.apply(manifest)
    assert (await deployments.status())["availableReplicas"] == 1


async def test_scale_in_ends_the_cheapest_ready_pods_and_unready_ones_before_them(deployments: Deployments) -> None:
    await deployments.apply(deployment(4))
    await deployments.make_ready()
    cheap, dear, unready, _ = await deployments.pods()
    for pod, cost in ((cheap, "-5"), (dear, "100")):
        live = await deployments.cluster.get(POD, "local", pod["metadata"]["name"])
        assert live
        live["metadata"]["annotations"] = {COST: cost}
        await deployments.cluster.put(POD, live)
    await deployments.make_ready(unready, status="False")
    await deployments.apply(deployment(2))
    left = {pod["metadata"]["name"] for pod in await deployments.pods()}
    assert dear["metadata"]["name"] in left
    assert left.isdisjoint({cheap["metadata"]["name"], unready["metadata"]["name"]})
    await deployments.apply(deployment(0))
    assert await deployments.pods() == []


async def test_its_pods_go_with_the_deployment(deployments: Deployments) -> None:
    await deployments.apply(deployment(2))
    (found,) = await deployments.cluster.list(DEPLOYMENT)
    await deployments.cluster.delete(DEPLOYMENT, "local", "emails-worker", found["metadata"]["uid"])
    assert await deployments.pods() == []
