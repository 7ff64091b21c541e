"""deploy/operator.yaml says what the program understands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate_operator import settings, site
from headgate_operator.stores_file import read_stores_file

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "operator.yaml").read_text())}


def test_its_stores_file_is_read_and_its_paths_mounted(manifests: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    (name, text), *others = manifests["ConfigMap"]["data"].items()
    assert not others
    (tmp_path / name).write_text(text)
    file = read_stores_file(str(tmp_path / name))
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    environ = {each["name"]: each.get("value") for each in container["env"]}
    assert environ["HEADGATE_STORES_FILE"] == f"{mounts['configuration']}/{name}"
    assert str(file.url_files["default"]) == f"{mounts['store-default']}/url"


def test_every_variable_that_it_sets_is_one_that_is_read(manifests: dict[str, dict[str, Any]]) -> None:
    known = set(re.findall(r'"((?:HEADGATE|KUBE)\w+)"', Path(settings.__file__).read_text()))
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} <= known


def test_the_admission_policy_has_the_name_that_the_operator_looks_for() -> None:
    found = list(yaml.safe_load_all((DEPLOY / "admission" / "worker-template.yaml").read_text()))
    assert {each["metadata"]["name"] for each in found} == {site.ADMISSION_NAME}
    assert [each["kind"] for each in found] == [site.ADMISSION_POLICY.kind, site.ADMISSION_BINDING.kind]


def test_both_sets_of_rights_say_the_same_about_workloads() -> None:
    def rules(file: str, kind: str, name: str) -> list[dict[str, Any]]:
        for each in yaml.safe_load_all((DEPLOY / "rbac" / file).read_text()):
            if (each["kind"], each["metadata"]["name"]) == (kind, name):
                return [rule for rule in each["rules"] if "resourceNames" not in rule]
        raise AssertionError(name)

    assert rules("cluster.yaml", "ClusterRole", "headgate-operator") == rules(
        "namespaced.yaml", "Role", "headgate-operator-workloads"
    )
