"""The cluster in memory: the suite that the real API server passes too, and what only watchers and kubelets see."""

from typing import Any

import pytest

from headgate.control.ports import POD, SERVICE_ACCOUNT, Kind, Manifest
from headgate.errors import Conflict
from headgate_cli.local.memory_cluster import MemoryCluster

from .cluster_port_suite import *  # noqa: F403  the tests themselves
from .cluster_port_suite import Edit, account, owned_by


@pytest.fixture
def cluster(memory_cluster: MemoryCluster) -> MemoryCluster:
    return memory_cluster


@pytest.fixture
def namespace() -> str:
    return "local"


@pytest.fixture
def edit(cluster: MemoryCluster, namespace: str) -> Edit:
    async def merge_patch(kind: Kind, name: str, patch: Manifest) -> None:
        found = await cluster.get(kind, namespace, name)
        assert found
        await cluster.put(kind, merged(found, patch))

    return merge_patch


def merged(live: Any, patch: Any) -> Any:
    if not isinstance(live, dict) or not isinstance(patch, dict):
        return patch
    return live | {name: merged(live.get(name), value) for name, value in patch.items()}


def pod(**spec: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "local"}, "spec": spec}


async def test_watchers_see_every_write_and_nothing_else(cluster: MemoryCluster) -> None:
    seen: list[tuple[str, str]] = []
    cluster.watch(lambda type_, kind, manifest: seen.append((type_, f"{kind.kind}/{manifest['metadata']['name']}")))
    applied = await cluster.apply(SERVICE_ACCOUNT, account("local"))
    await cluster.apply(SERVICE_ACCOUNT, account("local"))
    await cluster.apply(SERVICE_ACCOUNT, account("local"), dry_run=True)
    await cluster.apply(SERVICE_ACCOUNT, account("local", labels={"a": "b"}))
    await cluster.delete(SERVICE_ACCOUNT, "local", "worker", applied["metadata"]["uid"])
    assert seen == [(type_, "ServiceAccount/worker") for type_ in ("ADDED", "MODIFIED", "DELETED")]


async def test_callers_get_copies(cluster: MemoryCluster) -> None:
    applied = await cluster.apply(SERVICE_ACCOUNT, account("local"))
    applied["metadata"]["labels"] = {"mine": "only"}
    (listed,) = await cluster.list(SERVICE_ACCOUNT)
    assert "labels" not in listed["metadata"]


async def test_a_bound_pod_is_marked_until_its_kubelet_removes_it(cluster: MemoryCluster) -> None:
    bound = await cluster.put(POD, pod(nodeName="n", terminationGracePeriodSeconds=7))
    uid = bound["metadata"]["uid"]
    await cluster.delete(POD, "local", "p", uid)
    marked = await cluster.get(POD, "local", "p")
    assert marked
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    assert marked["metadata"]["deletionTimestamp"]
    await cluster.delete(POD, "local", "p", uid, grace_seconds=0)
    assert await cluster.get(POD, "local", "p") is None


async def test_a_pod_without_a_node_goes_at_once(cluster: MemoryCluster) -> None:
    unbound = await cluster.put(POD, pod())
    await cluster.delete(POD, "local", "p", unbound["metadata"]["uid"])
    assert await cluster.get(POD, "local", "p") is None


async def test_what_names_an_owner_that_is_gone_is_collected(cluster: MemoryCluster) -> None:
    owner = await cluster.apply(SERVICE_ACCOUNT, account("local", "owner"))
    await cluster.delete(SERVICE_ACCOUNT, "local", "owner", owner["metadata"]["uid"])
    await cluster.apply(SERVICE_ACCOUNT, account("local", "late", ownerReferences=[owned_by(owner)]))
    assert await cluster.get(SERVICE_ACCOUNT, "local", "late") is None


async def test_put_keeps_a_given_uid_and_refuses_an_old_read(cluster: MemoryCluster) -> None:
    first = await cluster.put(SERVICE_ACCOUNT, account("local", uid="local/worker"))
    assert first["metadata"]["uid"] == "local/worker"
    await cluster.put(SERVICE_ACCOUNT, account("local", labels={"a": "b"}))
    with pytest.raises(Conflict):
        await cluster.put(SERVICE_ACCOUNT, first)
