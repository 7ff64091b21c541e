"""Every right that the operator has is one that it uses, and it uses none that it has not."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from headgate.gates.door import Door
from headgate.gates.verbs import Beat, Holding, Owner, SlotBeat
from headgate.model.documents import QueueDocument

from .api_proxy import ApiProxy, Request
from .control_plane import ControlPlane, ControlPlaneError
from .operator_fixtures import CHILDREN, DEPLOY, World
from .operator_process import NAMESPACE, USER, OperatorProcess, budget, http_policy, periodic_task, policy, until

Make = Callable[..., OperatorProcess]
SCALING = {"maxReplicas": 2, "targetBacklogPerSlot": 1, "scaleDownStabilizationSeconds": 0}
Right = tuple[str, str, str]  # group, resource with subresource, verb
NEVER_REQUESTED = {
    ("headgate.dev", "queuepolicies/finalizers", "update"),
    ("headgate.dev", "periodictasks/finalizers", "update"),
}
"""Asked by an admission plugin on behalf of the operator; the reason stands beside the rule."""


def test_every_right_in_the_rules_is_used(
    world: World, new_operator: Make, proxy: ApiProxy, through_proxy: Path
) -> None:
    operator = new_operator(kubeconfig=through_proxy, HEADGATE_RESYNC_SECONDS="2").start()
    until(lambda: operator.settled, "the operator leads")
    world.apply(
        budget("mail", concurrency={"total": 4}),
        policy("emails", budgetRefs=[{"name": "mail"}], workers={"autoscaling": SCALING}),
    )
    world.apply(http_policy("api", {"name": "general", "inFlight": 3}))
    world.apply(periodic_task("sync", stopPolicy="Hold"))
    world.apply(policy("wrong", budgetRefs=[{"name": "nowhere"}]))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    world.await_condition("queuepolicy/wrong", "Accepted", "False", "BudgetNotFound")
    until(lambda: operator.settled, "the operator is at rest")
    a_worker_renews_that_no_deployment_counts(world)
    until(lambda: ("", "pods", "list") in set(rights(proxy.requests)), "its pod is looked for")
    its_backlog_comes_and_goes(world)
    another_cluster_takes_the_queue(world)
    for kind in CHILDREN:
        until(lambda kind=kind: world.get(f"{kind}/emails-worker") is None, f"the {kind} of the loser goes")
    world.await_condition("queuepolicy/emails", "Accepted", "False", "QueueConflict")
    with contextlib.suppress(AssertionError):
        until(lambda: granted() - set(rights(proxy.requests)) <= NEVER_REQUESTED, "every right is used", 20)
    assert granted() - set(rights(proxy.requests)) == NEVER_REQUESTED
    assert set(rights(proxy.requests)) <= granted()
    # In a namespace of an earlier test, which is going away, every write is forbidden.
    here = [each for each in proxy.requests if world.namespace in each.path or "/namespaces/" not in each.path]
    assert not [request for request in here if request.status == 403]


def a_worker_renews_that_no_deployment_counts(world: World) -> None:
    """As a pod does that is terminating and finishes its jobs."""
    with contextlib.closing(Door(world.store_url)) as door:
        slots = (SlotBeat("old-1.0"),)
        door.renew(Beat(instance="old-1", pod="old", queue="emails", revision=1, slots=slots, holdings=()))


def its_backlog_comes_and_goes(world: World) -> None:
    """Before it takes workers away, the autoscaler prices the pods that have jobs."""
    with redis.Redis.from_url(world.store_url) as client, contextlib.closing(Door(world.store_url)) as door:
        client.rpush("rq:queue:emails", *range(50))
        until(lambda: world.get("queuepolicy/emails")["spec"]["workers"]["replicas"] == 2, "a second worker")
        until(lambda: len(pods_of(world)) == 2, "its pod")
        slots, busy = (SlotBeat("x.0"),), Holding("emails", "x.0", "j", "e", 1, ())

        def renew() -> None:
            for pod in pods_of(world):
                door.renew(Beat(f"{pod}-x", pod, "emails", 1, slots, (busy,)))

        renew()  # whoever sees the queue empty sees the pods busy
        client.delete("rq:queue:emails")

        def scaled_in() -> bool:
            renew()
            return world.get("queuepolicy/emails")["spec"]["workers"]["replicas"] == 1

        until(scaled_in, "one worker again")


def pods_of(world: World) -> list[str]:
    return (
        world.kubectl("get", "pods", "-l", "headgate.dev/queue-policy=emails", "-o", "name").replace("pod/", "").split()
    )


def another_cluster_takes_the_queue(world: World) -> None:
    """As when somebody points the operator at a store in which another cluster declares the same queue."""
    with redis.Redis.from_url(world.store_url) as client, contextlib.closing(Door(world.store_url)) as door:
        client.flushall()
        door.publish(QueueDocument(queue="emails"), Owner("other/emails", "uid-there", 1, "another-cluster"))


def granted() -> set[Right]:
    found: set[Right] = set()
    for manifest in yaml.safe_load_all((DEPLOY / "rbac" / "cluster.yaml").read_text()):
        for rule in manifest.get("rules", ()):
            found |= {(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    return found


def rights(requests: list[Request]) -> Iterator[Right]:
    """What the requests need. Discovery is everybody's."""
    for request in requests:
        parts = request.path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
        if rest and rest[0] == "namespaces" and len(rest) > 2:
            rest = rest[2:]
        if not rest:
            continue
        resource = "/".join([rest[0], *rest[2:]])
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(request.method)
        if verb is None:
            verb = "get" if len(rest) > 1 else "watch" if request.query.get("watch") else "list"
        yield group, resource, verb
        if (request.method, request.status) == ("PATCH", 201):
            yield group, resource, "create"


def test_it_has_no_right_on_secrets_nor_on_anything_else(installed: ControlPlane) -> None:
    answers = installed.kubectl("auth", "can-i", "--list", f"--as={USER}", "-n", "default")
    resources = {
        line.split()[0].split("/")[0] for line in answers.splitlines()[1:] if line and not line.startswith(" ")
    }
    known = {".".join(filter(None, (resource.split("/")[0], group))) for group, resource, _ in granted()}
    everybodys = {"selfsubjectreviews.authentication.k8s.io"}
    everybodys |= {f"selfsubject{each}reviews.authorization.k8s.io" for each in ("access", "rules")}
    assert resources - known - everybodys == set()
    assert "secrets" not in answers


@pytest.fixture
def namespaced_account(installed: ControlPlane, namespace: str) -> Path:
    """An account with only the Roles of deploy/rbac/namespaced.yaml, for one namespace."""
    account = f"{namespace}-operator"
    installed.kubectl("create", "serviceaccount", account, "-n", NAMESPACE)
    for manifest in yaml.safe_load_all((DEPLOY / "rbac" / "namespaced.yaml").read_text()):
        if manifest["kind"] == "ClusterRole":
            continue
        where = manifest["metadata"].setdefault("namespace", namespace)
        manifest["metadata"]["name"] += f"-{namespace}"
        for subject in manifest.get("subjects", ()):
            subject["name"] = account
        if "roleRef" in manifest:
            manifest["roleRef"]["name"] += f"-{namespace}"
        installed.kubectl("apply", "-n", where, "-f", "-", stdin=json.dumps(manifest))
    return installed.kubeconfig_for_service_account(NAMESPACE, account)


def test_with_roles_only_it_serves_its_namespaces_and_sees_no_other(
    world: World, new_operator: Make, namespaced_account: Path
) -> None:
    world.control_plane.kubectl("apply", "-n", "default", "-f", "-", stdin=policy("elsewhere"))
    try:
        environ = {"HEADGATE_NAMESPACES": world.namespace, "HEADGATE_RESYNC_SECONDS": "2"}
        operator = new_operator("namespaced", kubeconfig=namespaced_account, **environ).start()
        until(lambda: operator.settled, "the operator leads")
        world.apply(policy("emails", concurrency={"total": 3}))
        world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
        until(lambda: world.get("deployment/emails-worker"), "its Deployment")
        world.kubectl("delete", "deployment/emails-worker")
        until(lambda: world.get("deployment/emails-worker"), "back again", 5)
        assert set(world.store().owners) == {"queue/emails"}
        world.kubectl("delete", "queuepolicy/emails")
        until(lambda: not world.store().owners, "unpublished")
        assert "403" not in operator.log
        assert "Worker templates take only" in operator.log, "the admission policy cannot be read with Roles"
    finally:
        world.control_plane.kubectl("delete", "-n", "default", "queuepolicy/elsewhere")


def test_an_account_without_rights_is_told_which_one_is_missing(
    world: World, new_operator: Make, installed: ControlPlane
) -> None:
    installed.kubectl("create", "serviceaccount", f"{world.namespace}-poor", "-n", NAMESPACE)
    poor = installed.kubeconfig_for_service_account(NAMESPACE, f"{world.namespace}-poor")
    operator = new_operator("poor", kubeconfig=poor).start()
    until(lambda: 'cannot get resource "leases"' in operator.log, "the right is named")
    assert operator.get("/readyz")[0] in (200, 503)
    assert operator.running


def test_the_manifest_is_accepted_and_its_pods_pass_restricted_pod_security(installed: ControlPlane) -> None:
    def pods() -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        return list(installed.request("GET", path)["items"])

    installed.kubectl(
        "apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", str(DEPLOY / "operator.yaml")
    )
    try:
        until(lambda: len(pods()) == 2, "two pods")
        labels = installed.request("GET", f"/api/v1/namespaces/{NAMESPACE}")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        with pytest.raises(ControlPlaneError, match="violates PodSecurity"):
            installed.kubectl("run", "lax", "--image=x:1", "-n", NAMESPACE)
    finally:
        for kind in ("deployment", "poddisruptionbudget", "networkpolicy", "configmap"):
            name = "headgate-stores" if kind == "configmap" else "headgate-operator"
            installed.kubectl("delete", kind, name, "-n", NAMESPACE)
        until(lambda: not pods() or time.sleep(0.2), "they are gone")
