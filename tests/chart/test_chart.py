"""What the chart makes of each set of values, and what it refuses."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate_operator.stores_file import read_stores_file

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "headgate"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # helm is built the first time
Object = dict[str, Any]
Render = Callable[..., str]


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for found in objects:
        name = f"{found['kind']}/{found['metadata']['name']}"
        if found["kind"] == "Deployment":
            yield name, found["spec"]["template"]["spec"]
        elif found["kind"] == "Pod":
            yield name, found["spec"]


def test_there_are_at_least_five_sets() -> None:
    assert len(VALUE_SETS) >= 5


def test_every_pod_passes_restricted_pod_security(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any(key in spec for key in ("hostNetwork", "hostPID", "hostIPC")), name
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name
        for volume in spec.get("volumes", ()):
            assert set(volume) - {"name"} <= {"configMap", "secret", "emptyDir"}, name


def test_only_the_operator_has_a_token(objects: list[Object]) -> None:
    with_token = {name for name, spec in pod_specs(objects) if spec["automountServiceAccountToken"]}
    assert {name.rpartition("-")[2] for name in with_token} == {"operator"}


def test_nobody_has_a_right_on_secrets_and_no_rule_has_a_star(objects: list[Object]) -> None:
    for found in objects:
        for rule in found.get("rules", ()):
            assert "secrets" not in rule["resources"]
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_each_object_is_there_once_and_says_whose_it_is(objects: list[Object]) -> None:
    names = Counter((found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"]) for found in objects)
    assert set(names.values()) == {1}
    for found in objects:
        if found["kind"] != "CustomResourceDefinition":
            assert found["metadata"]["labels"]["app.kubernetes.io/instance"] == "headgate"


def test_selectors_meet_the_pods_they_are_for(objects: list[Object]) -> None:
    pods = [found["spec"]["template"]["metadata"]["labels"] for found in objects if found["kind"] == "Deployment"]
    pods += [found["metadata"]["labels"] for found in objects if found["kind"] == "Pod"]
    for found in objects:
        if found["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            spec = found["spec"]
            wanted = spec.get("selector") or spec["podSelector"]
            wanted = wanted.get("matchLabels", wanted)
            assert any(wanted.items() <= labels.items() for labels in pods), found["metadata"]["name"]


def test_the_stores_file_is_one_that_the_operator_takes(objects: list[Object], tmp_path: Path) -> None:
    text = next(
        found["data"]["stores.yaml"]
        for found in objects
        if found["kind"] == "ConfigMap" and "stores.yaml" in found["data"]
    )
    (tmp_path / "stores.yaml").write_text(text)
    read = read_stores_file(str(tmp_path / "stores.yaml"))
    operator = next(spec for name, spec in pod_specs(objects) if name.endswith("-operator"))
    mounted = {mount["mountPath"] for mount in operator["containers"][0]["volumeMounts"]}
    assert {str(path.parent) for path in read.url_files.values()} <= mounted


def test_the_same_values_make_the_same_bytes(render: Render) -> None:
    for values in VALUE_SETS:
        assert render("-f", str(values)) == render("-f", str(values))


def test_crds_stay_when_the_chart_goes(render: Render) -> None:
    def crds(text: str) -> list[Object]:
        return [found for found in yaml.safe_load_all(text) if found and found["kind"] == "CustomResourceDefinition"]

    kept = crds(render())
    assert len(kept) == 4
    assert {found["metadata"]["annotations"]["helm.sh/resource-policy"] for found in kept} == {"keep"}
    assert not any("annotations" in found["metadata"] for found in crds(render("--set", "crds.keep=false")))
    assert crds(render("--set", "crds.install=false")) == []


def test_the_plain_manifests_say_the_same(render: Render) -> None:
    """deploy/ is for who has no helm: the same rights and the same admission, word for word."""
    rendered = {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(render()) if found}
    plain = yaml.safe_load_all((ROOT / "deploy" / "rbac" / "cluster.yaml").read_text())
    for found in plain:
        if "rules" in found:
            assert found["rules"] == rendered[found["kind"], found["metadata"]["name"]]["rules"]
    policy = next(yaml.safe_load_all((ROOT / "deploy" / "admission" / "worker-template.yaml").read_text()))
    assert policy["spec"] == rendered["ValidatingAdmissionPolicy", policy["metadata"]["name"]]["spec"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("api.replica=3", "additional properties 'replica' not allowed"),
        ("operator.replicas=many", "replicas"),
        ("api.store=elsewhere", "api.store is elsewhere: it must be one of stores: default"),
        ("stores[0].name=default,stores[0].secretName=", "stores: default needs a secretName"),
        ("api.ingress.enabled=true", "api.ingress.enabled needs api.ingress.host"),
        ("api.tokens[0]=hg_secret", "does not match pattern"),
        ("image.digest=latest", "does not match pattern"),
        ("networkPolicy.storePorts[0]=70000", "maximum"),
    ],
)
def test_a_wrong_value_is_refused_by_name(render: Render, given: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", given)
    assert words in refused.value.stderr


def test_helm_lint_finds_nothing(helm: Path) -> None:
    for values in VALUE_SETS:
        done = subprocess.run(
            [str(helm), "lint", "--strict", str(CHART), "-f", str(values)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_every_value_is_in_the_table() -> None:
    table = (CHART / "README.md").read_text()

    def leaves(node: Any, path: str = "") -> Iterator[str]:
        if isinstance(node, dict) and node:
            for name, child in node.items():
                yield from leaves(child, f"{path}.{name}" if path else name)
        else:
            yield path

    for name in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        assert f"| `{name}` |" in table, name
