"""What every Cluster must do, in memory and over a real API server.

The module that runs it brings the fixtures `cluster` (the port), `namespace` (a fresh one that exists), `eventually`,
and `edit(kind, name, patch)`: a merge patch by somebody else.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headgate.control.ports import DEPLOYMENT, NETWORK_POLICY, QUEUE_POLICY, SERVICE_ACCOUNT, Cluster, Kind, Manifest
from headgate.errors import Conflict, Rejected

Edit = Callable[[Kind, str, Manifest], Awaitable[None]]
STATUS = {"queue": "emails", "revision": 3}


def account(namespace: str, name: str = "worker", **metadata: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "automountServiceAccountToken": False,
    }


def policy(namespace: str, **spec: Any) -> Manifest:
    metadata = {"name": "emails", "namespace": namespace}
    return {"apiVersion": "headgate.dev/v1alpha1", "kind": "QueuePolicy", "metadata": metadata, "spec": spec}


def network_policy(namespace: str, **labels: str) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "worker", "namespace": namespace, "labels": labels},
        "spec": {"podSelector": {"matchLabels": {"app": "worker"}}, "policyTypes": ["Ingress"]},
    }


def deployment(namespace: str, **env: str) -> Manifest:
    container = {"name": "worker", "image": "worker:1", "env": [{"name": n, "value": v} for n, v in env.items()]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "worker", "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "worker"}},
            "template": {"metadata": {"labels": {"app": "worker"}}, "spec": {"containers": [container]}},
        },
    }


def owned_by(owner: Manifest) -> dict[str, Any]:
    metadata = owner["metadata"]
    return {"apiVersion": "v1", "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


async def live(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Manifest:
    found = await cluster.get(kind, namespace, name)
    assert found is not None
    return found


async def test_absent_is_none_and_applied_is_there(cluster: Cluster, namespace: str) -> None:
    assert await cluster.get(SERVICE_ACCOUNT, namespace, "worker") is None
    applied = await cluster.apply(SERVICE_ACCOUNT, account(namespace))
    found = await live(cluster, SERVICE_ACCOUNT, namespace, "worker")
    assert found["metadata"]["uid"] == applied["metadata"]["uid"] != ""
    assert found["metadata"]["creationTimestamp"].endswith("Z")
    assert found["automountServiceAccountToken"] is False


async def test_the_same_apply_again_writes_nothing(cluster: Cluster, namespace: str) -> None:
    first = await cluster.apply(NETWORK_POLICY, network_policy(namespace))
    second = await cluster.apply(NETWORK_POLICY, network_policy(namespace))
    assert version(first) == version(second)


async def test_a_dry_run_answers_the_object_and_stores_nothing(cluster: Cluster, namespace: str) -> None:
    answer = await cluster.apply(SERVICE_ACCOUNT, account(namespace), dry_run=True)
    assert answer["automountServiceAccountToken"] is False
    assert await cluster.get(SERVICE_ACCOUNT, namespace, "worker") is None


async def test_generation_grows_with_the_spec_and_only_with_it(cluster: Cluster, namespace: str) -> None:
    first = await cluster.apply(NETWORK_POLICY, network_policy(namespace))
    labelled = await cluster.apply(NETWORK_POLICY, network_policy(namespace, team="a"))
    assert labelled["metadata"]["generation"] == first["metadata"]["generation"] == 1
    wider = network_policy(namespace, team="a")
    wider["spec"]["policyTypes"] = ["Ingress", "Egress"]
    changed = await cluster.apply(NETWORK_POLICY, wider)
    assert changed["metadata"]["generation"] == 2
    assert version(first) != version(labelled) != version(changed)


async def test_apply_gives_up_what_it_no_longer_names_and_leaves_what_others_own(
    cluster: Cluster, namespace: str, edit: Edit
) -> None:
    await cluster.apply(NETWORK_POLICY, network_policy(namespace, mine="1", gone="1"))
    await edit(NETWORK_POLICY, "worker", {"metadata": {"labels": {"theirs": "1"}}})
    applied = await cluster.apply(NETWORK_POLICY, network_policy(namespace, mine="1"))
    assert applied["metadata"]["labels"] == {"mine": "1", "theirs": "1"}


async def test_apply_takes_back_a_field_that_somebody_changed(cluster: Cluster, namespace: str, edit: Edit) -> None:
    await cluster.apply(NETWORK_POLICY, network_policy(namespace))
    await edit(NETWORK_POLICY, "worker", {"spec": {"podSelector": {"matchLabels": {"app": "other"}}}})
    applied = await cluster.apply(NETWORK_POLICY, network_policy(namespace))
    assert applied["spec"]["podSelector"] == {"matchLabels": {"app": "worker"}}


async def test_lists_with_a_key_merge_item_by_item(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(DEPLOYMENT, deployment(namespace, KEEP="1", DROP="1"))
    applied = await cluster.apply(DEPLOYMENT, deployment(namespace, NEW="2", KEEP="3"))
    (container,) = applied["spec"]["template"]["spec"]["containers"]
    assert {item["name"]: item["value"] for item in container["env"]} == {"NEW": "2", "KEEP": "3"}


async def test_status_is_written_apart_and_neither_touches_the_spec_nor_the_generation(
    cluster: Cluster, namespace: str
) -> None:
    applied = await cluster.apply(QUEUE_POLICY, policy(namespace))
    written = await cluster.apply_status(QUEUE_POLICY, applied, STATUS)
    assert written["status"] == STATUS
    assert written["metadata"]["generation"] == applied["metadata"]["generation"]
    again = await cluster.apply_status(QUEUE_POLICY, written, STATUS)
    assert version(again) == version(written)
    respecified = await cluster.apply(QUEUE_POLICY, policy(namespace, stopPolicy="Hold"))
    assert respecified["status"] == STATUS
    assert respecified["metadata"]["generation"] == 2


async def test_a_status_is_replaced_whole(cluster: Cluster, namespace: str) -> None:
    applied = await cluster.apply(QUEUE_POLICY, policy(namespace))
    written = await cluster.apply_status(QUEUE_POLICY, applied, STATUS)
    shorter = await cluster.apply_status(QUEUE_POLICY, written, {"queue": "emails"})
    assert shorter["status"] == {"queue": "emails"}


async def test_a_status_from_an_older_read_is_a_conflict(cluster: Cluster, namespace: str) -> None:
    applied = await cluster.apply(QUEUE_POLICY, policy(namespace))
    await cluster.apply(QUEUE_POLICY, policy(namespace, stopPolicy="Hold"))
    with pytest.raises(Conflict):
        await cluster.apply_status(QUEUE_POLICY, applied, STATUS)


async def test_what_the_schema_refuses_is_rejected_with_its_words(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(Rejected, match="perKey cannot exceed total"):
        await cluster.apply(QUEUE_POLICY, policy(namespace, concurrency={"total": 2, "perKey": 3}))
    with pytest.raises(Rejected, match="concurency"):
        await cluster.apply(QUEUE_POLICY, policy(namespace, concurency={"total": 2}))
    assert await cluster.get(QUEUE_POLICY, namespace, "emails") is None


async def test_a_queue_cannot_be_renamed(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(QUEUE_POLICY, policy(namespace, queue="one"))
    with pytest.raises(Rejected, match="queue is immutable"):
        await cluster.apply(QUEUE_POLICY, policy(namespace, queue="two"))


async def test_list_by_namespace_and_labels(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, "one", labels={"app": "a", "tier": "x"}))
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, "two", labels={"app": "a"}))
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, "three"))
    both = await cluster.list(SERVICE_ACCOUNT, namespace, {"app": "a"})
    assert sorted(item["metadata"]["name"] for item in both) == ["one", "two"]
    one = await cluster.list(SERVICE_ACCOUNT, namespace, {"app": "a", "tier": "x"})
    assert [item["metadata"]["name"] for item in one] == ["one"]
    everywhere = await cluster.list(SERVICE_ACCOUNT)
    found = {item["metadata"]["name"] for item in everywhere if item["metadata"]["namespace"] == namespace}
    assert found >= {"one", "two", "three"}
    scanned = [item async for item in cluster.scan(SERVICE_ACCOUNT) if item["metadata"]["namespace"] == namespace]
    assert {item["metadata"]["name"] for item in scanned} >= {"one", "two", "three"}


async def test_delete_takes_exactly_the_object_it_names(cluster: Cluster, namespace: str) -> None:
    applied = await cluster.apply(SERVICE_ACCOUNT, account(namespace))
    await cluster.delete(SERVICE_ACCOUNT, namespace, "worker", "00000000-0000-0000-0000-000000000000")
    assert await cluster.get(SERVICE_ACCOUNT, namespace, "worker") is not None
    await cluster.delete(SERVICE_ACCOUNT, namespace, "worker", applied["metadata"]["uid"])
    assert await cluster.get(SERVICE_ACCOUNT, namespace, "worker") is None
    await cluster.delete(SERVICE_ACCOUNT, namespace, "worker", applied["metadata"]["uid"])


async def test_what_a_deleted_owner_owned_goes_with_it(
    cluster: Cluster, namespace: str, eventually: Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
) -> None:
    owner = await cluster.apply(SERVICE_ACCOUNT, account(namespace, "owner"))
    child = await cluster.apply(SERVICE_ACCOUNT, account(namespace, "child", ownerReferences=[owned_by(owner)]))
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, "grandchild", ownerReferences=[owned_by(child)]))
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, "stranger"))
    await cluster.delete(SERVICE_ACCOUNT, namespace, "owner", owner["metadata"]["uid"])

    async def only_the_stranger_is_left() -> bool:
        names = {item["metadata"]["name"] for item in await cluster.list(SERVICE_ACCOUNT, namespace)}
        return "stranger" in names and not names & {"owner", "child", "grandchild"}

    await eventually(only_the_stranger_is_left)


async def test_an_event_about_an_object_is_accepted(cluster: Cluster, namespace: str) -> None:
    applied = await cluster.apply(QUEUE_POLICY, policy(namespace))
    await cluster.post_event(applied, reason="Published", message="revision 3", type_="Normal")


async def test_scale_writes_the_number_and_nothing_else(cluster: Cluster, namespace: str, edit: Edit) -> None:
    created = await cluster.apply(QUEUE_POLICY, policy(namespace, workers={"drainSeconds": 7}))
    await cluster.scale(QUEUE_POLICY, created, 4)
    scaled = await live(cluster, QUEUE_POLICY, namespace, "emails")
    assert scaled["spec"]["workers"]["replicas"] == 4
    assert scaled["spec"]["workers"]["drainSeconds"] == 7
    assert scaled["metadata"]["generation"] == created["metadata"]["generation"] + 1
    with pytest.raises(Conflict):
        await cluster.scale(QUEUE_POLICY, created, 5)


async def test_annotations_are_merged_into_what_is_not_ours(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, annotations={"mine": "1"}))
    await cluster.annotate(SERVICE_ACCOUNT, namespace, "worker", {"price": "2"})
    found = await live(cluster, SERVICE_ACCOUNT, namespace, "worker")
    assert found["metadata"]["annotations"] == {"mine": "1", "price": "2"}
    await cluster.apply(SERVICE_ACCOUNT, account(namespace, annotations={"mine": "1"}))
    found = await live(cluster, SERVICE_ACCOUNT, namespace, "worker")
    assert found["metadata"]["annotations"] == {"mine": "1", "price": "2"}
    await cluster.annotate(SERVICE_ACCOUNT, namespace, "nobody", {"price": "3"})
