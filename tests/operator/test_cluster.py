"""The REST door: paths and queries as Kubernetes wants them, every failure as one of three errors."""

import time

import pytest

from headgate.control.ports import DEPLOYMENT, POD, QUEUE_POLICY, SERVICE_ACCOUNT
from headgate.errors import ClusterError, Conflict, InvalidInput, Rejected
from headgate_operator.cluster import ApiServer, NotFound, path_of
from headgate_operator.live_cluster import LiveCluster, NotLeading
from headgate_operator.metrics import Metrics

from .fake_api import FakeApi, Fault, Request


@pytest.fixture
def cluster(api: ApiServer, metrics: Metrics) -> LiveCluster:
    return LiveCluster(api, metrics)


def anything(_: Request) -> bool:
    return True


def deployment(name: str = "mail", **metadata: object) -> dict[str, object]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "a", "name": name, **metadata},
        "spec": {"replicas": 1},
    }


def test_paths() -> None:
    assert path_of(SERVICE_ACCOUNT, "a", "b") == "/api/v1/namespaces/a/serviceaccounts/b"
    assert path_of(DEPLOYMENT) == "/apis/apps/v1/deployments"
    assert (
        path_of(QUEUE_POLICY, "a", "b", "status") == "/apis/headgate.dev/v1alpha1/namespaces/a/queuepolicies/b/status"
    )


async def test_apply_is_a_forced_strict_server_side_apply_by_one_manager(
    cluster: LiveCluster, fake_api: FakeApi
) -> None:
    stored = await cluster.apply(DEPLOYMENT, deployment())
    assert stored["metadata"]["uid"] == fake_api.objects["deployments", "a", "mail"]["metadata"]["uid"]
    (request,) = fake_api.writes
    assert (request.method, request.path) == ("PATCH", "/apis/apps/v1/namespaces/a/deployments/mail")
    assert request.query == {"fieldManager": "headgate", "force": "true", "fieldValidation": "Strict"}
    await cluster.apply(DEPLOYMENT, deployment("other"), dry_run=True)
    assert fake_api.requests[-1].query["dryRun"] == "All"
    assert ("deployments", "a", "other") not in fake_api.objects


async def test_get_of_what_is_not_there_is_none(cluster: LiveCluster) -> None:
    assert await cluster.get(DEPLOYMENT, "a", "mail") is None


async def test_list_reads_every_page_and_names_the_kind_of_each_item(cluster: LiveCluster, fake_api: FakeApi) -> None:
    for number in range(220):
        metadata = {"labels": {"l": str(number % 10)}, "managedFields": [{"manager": "somebody"}]}
        await fake_api.put(POD, "a" if number % 2 else "b", f"p{number}", metadata=metadata)
    assert len(await cluster.list(POD)) == 220
    assert len([r for r in fake_api.requests if r.method == "GET"]) == 3
    found = await cluster.list(POD, "a", {"l": "3"})
    assert {item["kind"] for item in found} == {"Pod"}
    assert {item["metadata"]["labels"]["l"] for item in found} == {"3"}
    assert len(found) == 22
    assert not any("managedFields" in item["metadata"] for item in found), "they are large, and nobody reads them"


async def test_an_operator_of_some_namespaces_lists_only_these(api: ApiServer, fake_api: FakeApi) -> None:
    for namespace in ("a", "b", "c"):
        await fake_api.put(QUEUE_POLICY, namespace, "mail")
    cluster = LiveCluster(api, Metrics(), namespaces=("a", "c"))
    found = [item async for item in cluster.scan(QUEUE_POLICY)]
    assert [item["metadata"]["namespace"] for item in found] == ["a", "c"]
    assert {request.path for request in fake_api.requests} == {path_of(QUEUE_POLICY, "a"), path_of(QUEUE_POLICY, "c")}


async def test_status_is_written_only_on_the_version_that_was_read(cluster: LiveCluster, fake_api: FakeApi) -> None:
    await fake_api.put(QUEUE_POLICY, "a", "mail", spec={"queue": "mail"})
    read = await cluster.get(QUEUE_POLICY, "a", "mail")
    assert read
    stored = await cluster.apply_status(QUEUE_POLICY, read, {"queue": "mail"})
    assert stored["status"] == {"queue": "mail"}
    assert fake_api.writes[-1].path.endswith("/queuepolicies/mail/status")
    with pytest.raises(Conflict, match="has been modified"):
        await cluster.apply_status(QUEUE_POLICY, read, {"queue": "other"})


async def test_delete_hits_only_the_object_that_was_meant(cluster: LiveCluster, fake_api: FakeApi) -> None:
    await fake_api.put(DEPLOYMENT, "a", "mail")
    await cluster.delete(DEPLOYMENT, "a", "mail", "uid-of-an-earlier-one")
    assert ("deployments", "a", "mail") in fake_api.objects
    await cluster.delete(DEPLOYMENT, "a", "mail", fake_api.objects["deployments", "a", "mail"]["metadata"]["uid"])
    assert ("deployments", "a", "mail") not in fake_api.objects
    await cluster.delete(DEPLOYMENT, "a", "mail", "any")
    assert fake_api.writes[-1].body["propagationPolicy"] == "Background"


@pytest.mark.parametrize(
    ("status", "kind", "exact"),
    [
        (400, Rejected, True),
        (401, ClusterError, True),
        (403, Rejected, True),
        (404, NotFound, True),
        (409, Conflict, True),
        (422, Rejected, True),
        (500, ClusterError, True),
        (503, ClusterError, True),
    ],
)
async def test_every_failure_becomes_one_of_three_errors_with_the_servers_words(
    cluster: LiveCluster, fake_api: FakeApi, status: int, kind: type[Exception], exact: bool
) -> None:
    fake_api.faults.append(Fault(anything, status, message="spec.x: must be smaller"))
    with pytest.raises(kind, match=r"spec\.x: must be smaller") as caught:
        await cluster.apply(DEPLOYMENT, deployment())
    assert (type(caught.value) is kind) == exact


@pytest.mark.parametrize(
    "words",
    ["failed to create typed patch object (a/mail): .spec: ", "unable to convert unstructured object to apps/v1: "],
)
async def test_a_wrong_type_in_an_apply_patch_is_the_objects_fault_though_the_server_says_500(
    cluster: LiveCluster, fake_api: FakeApi, words: str
) -> None:
    fake_api.faults.append(Fault(anything, 500, message=f"{words}expected"))
    with pytest.raises(Rejected, match="expected"):
        await cluster.apply(DEPLOYMENT, deployment())


async def test_busy_is_waited_out_as_long_as_the_server_asks(cluster: LiveCluster, fake_api: FakeApi) -> None:
    fake_api.faults.append(Fault(anything, 429, {"Retry-After": "1"}, times=2))
    started = time.monotonic()
    await cluster.apply(DEPLOYMENT, deployment())
    assert time.monotonic() - started >= 2.0
    assert len(fake_api.requests) == 3


async def test_busy_for_too_long_goes_back_to_the_queue(cluster: LiveCluster, fake_api: FakeApi) -> None:
    fake_api.faults.append(Fault(anything, 429, {"Retry-After": "0"}, times=50))
    with pytest.raises(ClusterError, match="too busy"):
        await cluster.apply(DEPLOYMENT, deployment())


async def test_an_urgent_call_neither_waits_for_others_nor_repeats(api: ApiServer, fake_api: FakeApi) -> None:
    fake_api.faults.append(Fault(lambda request: "pods" in request.path, 429, {"Retry-After": "30"}))
    with pytest.raises(ClusterError, match="too busy"):
        await api.call("GET", path_of(POD, "a"), resource="pods", urgent=True)
    started = time.monotonic()
    await api.call("GET", path_of(DEPLOYMENT, "a"), resource="deployments", urgent=True)
    assert time.monotonic() - started < 10


async def test_a_server_that_is_away_is_a_cluster_error(cluster: LiveCluster, fake_api: FakeApi) -> None:
    await fake_api.stop()
    with pytest.raises(ClusterError, match="does not answer PATCH"):
        await cluster.apply(DEPLOYMENT, deployment())


async def test_a_kubeconfig_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"KUBECONFIG '/nowhere' .*set KUBECONFIG to a readable kubeconfig file"):
        await ApiServer.connect("/nowhere", Metrics())


async def test_without_the_lease_nothing_is_written(api: ApiServer, fake_api: FakeApi, metrics: Metrics) -> None:
    await fake_api.put(QUEUE_POLICY, "a", "mail")
    cluster = LiveCluster(api, metrics, may_write=lambda: False)
    read = await cluster.get(QUEUE_POLICY, "a", "mail")
    assert read
    with pytest.raises(NotLeading):
        await cluster.apply(DEPLOYMENT, deployment())
    with pytest.raises(NotLeading):
        await cluster.apply_status(QUEUE_POLICY, read, {})
    with pytest.raises(NotLeading):
        await cluster.delete(DEPLOYMENT, "a", "mail", "u")
    with pytest.raises(NotLeading):
        await cluster.post_event(read, reason="R", message="m", type_="Normal")
    assert fake_api.writes == []


async def test_the_same_event_is_posted_once_and_a_long_note_is_cut(cluster: LiveCluster, fake_api: FakeApi) -> None:
    await fake_api.put(QUEUE_POLICY, "a", "mail")
    read = await cluster.get(QUEUE_POLICY, "a", "mail")
    assert read
    for _ in range(3):
        await cluster.post_event(read, reason="Published", message="é" * 900, type_="Normal")
    (request,) = fake_api.writes
    assert request.path == "/apis/events.k8s.io/v1/namespaces/a/events"
    assert request.body["note"] == "é" * 512
    assert request.body["regarding"]["uid"] == read["metadata"]["uid"]
    await cluster.post_event(read, reason="Published", message="another", type_="Normal")
    assert len(fake_api.writes) == 2


async def test_calls_and_conditions_are_counted(cluster: LiveCluster, fake_api: FakeApi, metrics: Metrics) -> None:
    conditions = [{"type": "Ready", "status": "True", "reason": "InForce"}]
    await fake_api.put(QUEUE_POLICY, "a", "mail", status={"conditions": conditions})
    await fake_api.put(QUEUE_POLICY, "a", "gone", status={"conditions": conditions})
    _ = [item async for item in cluster.scan(QUEUE_POLICY)]
    text = metrics.render().decode()
    labels = 'kind="QueuePolicy",name="%s",namespace="a",reason="InForce",status="True",type="Ready"'
    line = f"headgate_status_condition{{{labels}}} 1.0"
    assert line % "mail" in text
    assert line % "gone" in text
    assert 'headgate_api_requests_total{code="200",resource="queuepolicies",verb="GET"} 1.0' in text
    await fake_api.remove(QUEUE_POLICY, "a", "gone")
    _ = [item async for item in cluster.scan(QUEUE_POLICY)]
    assert line % "gone" not in metrics.render().decode()
    await fake_api.remove(QUEUE_POLICY, "a", "mail")
    await cluster.get(QUEUE_POLICY, "a", "mail")
    assert line % "mail" not in metrics.render().decode()
