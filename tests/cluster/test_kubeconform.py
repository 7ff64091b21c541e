"""kubeconform, strictly, over the chart with each tested set of values; its schemas are what this API server serves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart import tools
from tests.e2e import programs

from .control_plane import ControlPlane

CHART = Path(__file__).parents[2] / "charts" / "headgate"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))
MONITORING = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")
MONITORING_SUM = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
"""As go.sum would have it: the CRDs of ServiceMonitor, PodMonitor and PrometheusRule are files of that module."""
pytestmark = pytest.mark.timeout(900)  # programs are built the first time

Schema = dict[str, Any]


def strict(schema: Schema) -> Schema:
    """No field but those that are declared, as kubeconform's own strict schemas are made."""
    found = dict(schema)
    for name in ("items", "additionalProperties", "not"):
        found |= {name: strict(schema[name])} if isinstance(schema.get(name), dict) else {}
    for name in ("allOf", "anyOf", "oneOf"):
        found |= {name: [strict(part) for part in schema[name]]} if name in schema else {}
    if "properties" in schema:
        found["properties"] = {name: strict(part) for name, part in schema["properties"].items()}
    free = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"} & schema.keys()
    if "properties" in schema and not free:
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found


def file_name(group: str, version: str, kind: str) -> str:
    """What kubeconform's {{.ResourceKind}}{{.KindSuffix}}.json is for a kind."""
    return "-".join(filter(None, (kind.lower(), group.partition(".")[0], version))) + ".json"


def served(control_plane: ControlPlane) -> Iterator[tuple[str, Schema]]:
    """Of every kind that the API server serves, our own among them: (file name, schema)."""
    for place in control_plane.request("GET", "/openapi/v3")["paths"]:
        if not place.startswith(("api/", "apis/")):
            continue
        schemas = control_plane.request("GET", f"/openapi/v3/{place}").get("components", {}).get("schemas", {})
        definitions = {name: strict(schema) for name, schema in schemas.items()}
        text = json.dumps(definitions).replace("#/components/schemas/", "#/definitions/")
        for name, schema in schemas.items():
            for each in schema.get("x-kubernetes-group-version-kind", ()):
                whole = {"$ref": f"#/definitions/{name}", "definitions": json.loads(text)}
                yield file_name(each["group"], each["version"], each["kind"]), whole


def monitoring() -> Iterator[tuple[str, Schema]]:
    command = ["go", "mod", "download", "-json", "@".join(MONITORING)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["Sum"] == MONITORING_SUM
    for plural in ("servicemonitors", "podmonitors", "prometheusrules"):
        path = Path(found["Dir"]) / "example" / "prometheus-operator-crd" / f"monitoring.coreos.com_{plural}.yaml"
        definition = yaml.safe_load(path.read_text())["spec"]
        for version in definition["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            yield file_name(definition["group"], version["name"], definition["names"]["kind"]), schema


@pytest.fixture(scope="module")
def schemas(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    for name, schema in (*served(installed), *monitoring()):
        (folder / name).write_text(json.dumps(schema))
    return folder


def kubeconform(schemas: Path, text: str) -> dict[str, Any]:
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [
        str(tools.program("kubeconform")),
        "-strict",
        "-output",
        "json",
        "-summary",
        "-schema-location",
        location,
    ]
    done = subprocess.run([*command, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def rendered(values: Path) -> str:
    command = [str(programs.helm()), "template", "headgate", str(CHART), "-n", "headgate-system", "-f", str(values)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("values", VALUE_SETS, ids=lambda path: path.stem)
def test_every_object_is_what_its_schema_says(schemas: Path, values: Path) -> None:
    text = rendered(values)
    said = kubeconform(schemas, text)
    assert said["resources"] == []
    assert said["summary"] == {
        "valid": sum(1 for found in yaml.safe_load_all(text) if found), "invalid": 0, "errors": 0, "skipped": 0,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", "ServiceMonitor"])
def test_it_would_find_a_field_that_does_not_exist(schemas: Path, kind: str) -> None:
    objects = [found for values in VALUE_SETS for found in yaml.safe_load_all(rendered(values)) if found]
    wrong = deepcopy(next(found for found in objects if found["kind"] == kind))
    wrong["spec"]["colour"] = "blue"
    said = kubeconform(schemas, yaml.safe_dump(wrong))
    assert said["summary"]["invalid"] == 1
    assert "colour" in said["resources"][0]["msg"]
