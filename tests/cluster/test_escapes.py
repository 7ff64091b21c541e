"""What somebody with rights on QueuePolicies alone tries to get more: with the admission policy and without."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .control_plane import ControlPlane, ControlPlaneError
from .operator_fixtures import DEPLOY, World
from .operator_process import NAMESPACE, OperatorProcess, policy, until

SECRET = {"secretKeyRef": {"name": "database", "key": "password"}}
TOKEN = {"sources": [{"serviceAccountToken": {"path": "token"}}]}


def container(**worker: Any) -> dict[str, Any]:
    return {"containers": [{"name": "worker", **worker}]}


ESCAPES: dict[str, dict[str, Any]] = {
    "another image": container(image="evil:1"),
    "a variable from a Secret": container(env=[{"name": "X", "valueFrom": SECRET}]),
    "all of a Secret": container(envFrom=[{"secretRef": {"name": "database"}}]),
    "a Secret as a volume": {**container(), "volumes": [{"name": "s", "secret": {"secretName": "database"}}]},
    "a token as a volume": {**container(), "volumes": [{"name": "t", "projected": TOKEN}]},
    "another ServiceAccount": {**container(), "serviceAccountName": "deployer"},
    "its own token": {**container(), "automountServiceAccountToken": True},
    "the host's files": {**container(), "volumes": [{"name": "h", "hostPath": {"path": "/"}}]},
    "the host's devices": container(volumeDevices=[{"name": "h", "devicePath": "/dev/sda"}]),
    "a privileged container": container(securityContext={"privileged": True}),
    "a capability": container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
    "root": {**container(), "securityContext": {"runAsUser": 0, "runAsNonRoot": False}},
    "another command": container(command=["sh", "-c", "id"]),
    "arguments": container(args=["--evil"]),
    "a hook": container(lifecycle={"postStart": {"exec": {"command": ["id"]}}}),
    "a probe that runs something": container(livenessProbe={"exec": {"command": ["id"]}}),
    "a second container": {"containers": [{"name": "worker"}, {"name": "evil", "image": "evil:1"}]},
    "an init container": {**container(), "initContainers": [{"name": "evil", "image": "evil:1"}]},
    "an ephemeral container": {**container(), "ephemeralContainers": [{"name": "evil", "image": "evil:1"}]},
    "another runtime": {**container(), "runtimeClassName": "unconfined"},
    "a node by name": {**container(), "nodeName": "control-plane-1"},
    "shared processes": {**container(), "shareProcessNamespace": True},
    "pull Secrets": {**container(), "imagePullSecrets": [{"name": "registry"}]},
    "a host port": container(ports=[{"containerPort": 80, "hostPort": 80}]),
    "aliases of hosts": {**container(), "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["api"]}]},
}
HOST = {
    "the host's network": {**container(), "hostNetwork": True},
    "the host's processes": {**container(), "hostPID": True},
    "the host's memory": {**container(), "hostIPC": True},
}
"""Refused by the CRD itself, whoever asks."""
Author = Callable[[str], str]


@pytest.fixture
def author(world: World) -> Author:
    """`kubectl apply` of somebody who may do anything to QueuePolicies of this namespace, and nothing else."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "author"},
        "rules": [{"apiGroups": ["headgate.dev"], "resources": ["queuepolicies"], "verbs": ["*"]}],
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(role))
    world.kubectl("create", "serviceaccount", "author")
    world.kubectl("create", "rolebinding", "author", "--role=author", f"--serviceaccount={world.namespace}:author")
    kubeconfig = world.control_plane.kubeconfig_for_service_account(world.namespace, "author")
    return lambda manifest: world.control_plane.kubectl("apply", "-f", "-", stdin=manifest, kubeconfig=kubeconfig)


@pytest.fixture
def no_admission(installed: ControlPlane) -> Iterator[None]:
    installed.kubectl("delete", "-f", str(DEPLOY / "admission"))
    yield
    installed.kubectl("apply", "-f", str(DEPLOY / "admission"))


def templated(name: str, spec: dict[str, Any]) -> str:
    return policy(name, workers={"template": {"spec": spec}})


def test_with_the_admission_policy_the_api_server_refuses_each(world: World, author: Author) -> None:
    # The API server takes a moment to see a new policy; what it has let through it lets through unchanged again.
    names = (f"probe-{number}" for number in itertools.count())
    until(lambda: not accepted(author, next(names), ESCAPES["another image"]), "the admission policy is in force")
    for what, spec in {**ESCAPES, **HOST}.items():
        assert refusal(author, spec) in ("permission", "CRD"), what


def refusal(author: Author, spec: dict[str, Any]) -> str:
    """Who refuses a template: `permission` (the admission policy), `CRD`, or "" when nobody does."""
    try:
        author(templated("escape", spec))
    except ControlPlaneError as error:
        if "permission to create Deployments" in str(error):
            return "permission"
        return "CRD" if "host namespaces are not allowed" in str(error) else str(error)
    return ""


@pytest.mark.slow
def test_without_it_the_operator_refuses_each(
    world: World, author: Author, no_admission: None, new_operator: Callable[..., OperatorProcess]
) -> None:
    operator = new_operator().start()
    until(lambda: operator.settled, "it leads")
    names = {what: f"escape-{number}" for number, what in enumerate(ESCAPES)}
    until(lambda: accepted(author, "escape-0", ESCAPES["another image"]), "the admission policy is gone")
    author("\n---\n".join(templated(names[what], spec) for what, spec in ESCAPES.items()))
    for what, name in names.items():
        until(lambda name=name: world.condition(f"queuepolicy/{name}", "Accepted")[0], f"a verdict on {what}")  # type: ignore[misc]
        assert world.condition(f"queuepolicy/{name}", "Accepted")[0] == "False", what
        assert world.get(f"deployment/{name}-worker") is None, what
        assert world.document(name) is None, f"{what}: what is refused is not half in force"


def accepted(author: Author, name: str, spec: dict[str, Any]) -> bool:
    try:
        author(templated(name, spec))
    except ControlPlaneError:
        return False
    return True


def test_no_way_into_another_namespace_or_the_operators_own(world: World, author: Author) -> None:
    for namespace in (NAMESPACE, "kube-system", "default"):
        manifest = json.loads(policy("elsewhere"))
        manifest["metadata"]["namespace"] = namespace
        with pytest.raises(ControlPlaneError, match=r"(?i)forbidden"):
            author(json.dumps(manifest))


def test_the_operator_itself_is_allowed_no_secret_and_no_exec(
    installed: ControlPlane, account: Path, namespace: str
) -> None:
    """What its identity may do is the most that anybody could gain by tricking it."""
    for verb, resource, subresource in (
        ("get", "secrets", ""), ("list", "secrets", ""), ("create", "pods", ""), ("create", "pods", "exec"),
        ("impersonate", "users", ""), ("create", "clusterrolebindings", ""), ("escalate", "clusterroles", ""),
        ("bind", "clusterroles", ""), ("create", "serviceaccounts", "token"), ("get", "nodes", ""),
        ("update", "validatingadmissionpolicies", ""),
    ):  # fmt: skip
        asked = [verb, resource, *([f"--subresource={subresource}"] if subresource else []), "-n", namespace, "-q"]
        with pytest.raises(ControlPlaneError):
            installed.kubectl("auth", "can-i", *asked, kubeconfig=account)
