"""The fixture is a real control plane: controllers act, RBAC refuses, the audit log counts, an outage is one."""

import json
import time
from typing import Any

import pytest

from .control_plane import ControlPlane, ControlPlaneError

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    },
}


def config_map(name: str, **metadata: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}})


def names(control_plane: ControlPlane, namespace: str, resource: str) -> list[str]:
    return control_plane.kubectl("get", resource, "-n", namespace, "-o", "name").split()


def test_a_deployment_becomes_a_replica_set_and_pending_pods(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(DEPLOYMENT))
    control_plane.wait_until(lambda: len(names(control_plane, namespace, "pods")) == 2, "two pods")
    assert len(names(control_plane, namespace, "replicasets")) == 1
    phases = control_plane.kubectl("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.phase}")
    assert phases == "Pending Pending"


def test_garbage_collection_deletes_what_a_deleted_owner_owned(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=config_map("owner"))
    uid = control_plane.kubectl("get", "configmap", "owner", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    child = config_map("child", ownerReferences=[reference])
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=child)
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=config_map("stranger"))
    control_plane.kubectl("delete", "configmap", "owner", "-n", namespace)
    control_plane.wait_until(lambda: "configmap/child" not in names(control_plane, namespace, "configmaps"), "no child")
    assert "configmap/stranger" in names(control_plane, namespace, "configmaps")


def test_a_service_account_may_do_what_rbac_grants_and_nothing_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    control_plane.kubectl("create", "role", "reader", "-n", namespace, "--verb=list", "--resource=configmaps")
    control_plane.kubectl(
        "create", "rolebinding", "reader", "-n", namespace, "--role=reader", f"--serviceaccount={namespace}:reader"
    )
    kubeconfig = control_plane.kubeconfig_for_service_account(namespace, "reader")
    assert "kube-root-ca.crt" in control_plane.kubectl("get", "configmaps", kubeconfig=kubeconfig)
    with pytest.raises(ControlPlaneError, match=rf"system:serviceaccount:{namespace}:reader.* cannot list.*secrets"):
        control_plane.kubectl("get", "secrets", kubeconfig=kubeconfig)
    with pytest.raises(ControlPlaneError, match="cannot create"):
        control_plane.kubectl("create", "-f", "-", stdin=config_map("mine"), kubeconfig=kubeconfig)
    refused = control_plane.writes(user=f"system:serviceaccount:{namespace}:reader")
    assert [(write.verb, write.resource, write.code) for write in refused] == [("create", "configmaps", 403)]


def test_a_write_is_in_the_audit_log_as_soon_as_it_is_answered(control_plane: ControlPlane, namespace: str) -> None:
    since = time.time()
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(50):
        control_plane.request("POST", path, {"metadata": {"name": f"map-{number}"}})
        written = control_plane.writes(since=since, user="admin", namespace=namespace)
        assert [write.name for write in written] == [f"map-{n}" for n in range(number + 1)]
    assert {(write.verb, write.group, write.resource, write.code) for write in written} == {
        ("create", "", "configmaps", 201)
    }


def test_reads_and_dry_runs_and_token_requests_are_no_writes(control_plane: ControlPlane, namespace: str) -> None:
    since = time.time()
    names(control_plane, namespace, "configmaps")
    control_plane.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=config_map("dry"))
    control_plane.kubectl("auth", "can-i", "create", "pods", "-n", namespace)
    control_plane.kubectl("create", "token", "default", "-n", namespace)
    assert control_plane.writes(since=since, user="admin") == []
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(DEPLOYMENT))
    control_plane.kubectl("scale", "deployment", "web", "-n", namespace, "--replicas=3")
    seen = [(write.verb, write.group, write.resource) for write in control_plane.writes(since=since, user="admin")]
    assert seen == [("create", "apps", "deployments"), ("patch", "apps", "deployments/scale")]


def test_an_outage_refuses_connections_and_loses_nothing(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=config_map("before"))
    with control_plane.apiserver_away(), pytest.raises(ControlPlaneError, match="refused"):
        names(control_plane, namespace, "configmaps")
    assert "configmap/before" in names(control_plane, namespace, "configmaps")
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(DEPLOYMENT))
    control_plane.wait_until(lambda: len(names(control_plane, namespace, "pods")) == 2, "two pods after the outage")
