"""The other judge of tests/model/crd_cases.yaml: the real API server, with the generated CRDs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.model.schema import DEFINITIONS

from .control_plane import ControlPlane, ControlPlaneError

ROOT = Path(__file__).parents[2]
CASES = list(yaml.safe_load_all((ROOT / "tests" / "model" / "crd_cases.yaml").read_text()))
HEAD = {"apiVersion": "headgate.dev/v1alpha1"}
PLURALS = {definition.kind: definition.plural for definition in DEFINITIONS}
STRICT = "fieldValidation=Strict"


@pytest.fixture(scope="module")
def cases_namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace with the CRDs established."""
    control_plane.start_apiserver()
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "deploy" / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    name = f"cases-{secrets.token_hex(3)}"
    control_plane.create_namespace(name)
    yield name
    control_plane.request("DELETE", f"/api/v1/namespaces/{name}")


def judge(control_plane: ControlPlane, namespace: str, case: dict[str, Any]) -> str:
    """The server's refusal, empty when it accepts. Nothing is stored but, for a moment, what an update begins from."""
    folder = f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/{PLURALS[case['obj']['kind']]}"
    if "old" not in case:
        return asked(control_plane, "POST", f"{folder}?dryRun=All&{STRICT}", HEAD | case["obj"])
    path = f"{folder}/{case['obj']['metadata']['name']}"
    version = control_plane.request("POST", folder, HEAD | case["old"])["metadata"]["resourceVersion"]
    try:
        metadata = case["obj"]["metadata"] | {"resourceVersion": version}
        return asked(control_plane, "PUT", f"{path}?dryRun=All&{STRICT}", HEAD | case["obj"] | {"metadata": metadata})
    finally:
        control_plane.request("DELETE", path)


def asked(control_plane: ControlPlane, method: str, path: str, body: dict[str, Any]) -> str:
    try:
        control_plane.request(method, path, body)
    except ControlPlaneError as error:
        if error.status not in (400, 422):
            raise
        return str(error)
    return ""


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_api_server_and_the_table_agree(
    case: dict[str, Any], control_plane: ControlPlane, cases_namespace: str
) -> None:
    """It accepts what the models accept, and refuses the rest with the same words."""
    refusal = judge(control_plane, cases_namespace, case)
    if case["want"]:
        assert case["want"] in refusal
    else:
        assert refusal == ""


def test_the_server_fills_in_the_defaults_that_the_models_have(
    control_plane: ControlPlane, cases_namespace: str
) -> None:
    """A policy with nothing but a name means the same in a file and in a cluster."""
    from headgate.model.parse import parse

    folder = f"/apis/headgate.dev/v1alpha1/namespaces/{cases_namespace}/queuepolicies"
    bare = {**HEAD, "kind": "QueuePolicy", "metadata": {"name": "bare"}}
    stored = control_plane.request("POST", f"{folder}?dryRun=All&{STRICT}", bare)
    assert stored["spec"]["concurrency"] == {"perWorker": 3}
    assert parse(stored).spec == parse(bare).spec


def test_the_server_fills_in_a_rule_as_the_models_do(control_plane: ControlPlane, cases_namespace: str) -> None:
    """Also where a rule judges the default itself: key.type."""
    from headgate.model.parse import parse

    folder = f"/apis/headgate.dev/v1alpha1/namespaces/{cases_namespace}/httppolicies"
    rules = [{"name": "general", "rate": {"limit": 100, "periodSeconds": 900}}]
    bare = {**HEAD, "kind": "HTTPPolicy", "metadata": {"name": "bare"}, "spec": {"rules": rules}}
    stored = control_plane.request("POST", f"{folder}?dryRun=All&{STRICT}", bare)
    assert stored["spec"]["rules"] == [
        {**rules[0], "mode": "Enforce", "match": {}, "key": {"type": "ClientIP"}, "count": "All", "cost": 1}
    ]
    assert (stored["spec"]["onStoreFailure"], stored["spec"]["ipv6PrefixLength"]) == ("Local", 64)
    assert parse(stored).spec == parse(bare).spec


@pytest.mark.parametrize("name", ["children-minimal", "children-full"])
def test_the_server_takes_the_golden_children(name: str, control_plane: ControlPlane, cases_namespace: str) -> None:
    """Server-side apply with strict field validation: no field of ours is unknown to it or of the wrong type."""
    plurals = {
        "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
        "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
        "PodDisruptionBudget": "apis/policy/v1/namespaces/{}/poddisruptionbudgets",
        "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    }
    for child in yaml.safe_load_all((ROOT / "tests" / "golden" / f"{name}.yaml").read_text()):
        child["metadata"]["namespace"] = cases_namespace
        path = f"/{plurals[child['kind']].format(cases_namespace)}/{child['metadata']['name']}"
        stored = control_plane.request(
            "PATCH", f"{path}?fieldManager=headgate&dryRun=All&{STRICT}", child, "application/apply-patch+yaml"
        )
        assert stored["metadata"]["ownerReferences"] == child["metadata"]["ownerReferences"]
