"""Each field of each kind to bad, to its edges, and back: refused or a condition, no crash, no neighbour's limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from headgate.model.schema import DEFINITIONS, custom_resource_definition
from headgate_operator.cluster import path_of

from .control_plane import ControlPlaneError
from .operator_fixtures import KIND, World
from .operator_process import OperatorProcess, policy, until

pytestmark = pytest.mark.slow
RATE = {"limit": 5, "periodSeconds": 10}
BASES: dict[str, dict[str, Any]] = {
    "QueuePolicy": {
        "queue": "fuzzed",
        "concurrency": {"perWorker": 2, "total": 4, "perKey": 2},
        "rate": {"perWorker": RATE, "total": RATE, "perKey": RATE},
        "key": {"metaField": "tenant"},
        "budgetRefs": [{"name": "shared", "weight": 2}],
        "backlog": {"limit": 10},
        "jobs": {"payload": "Plain", "functions": ["a.b"]},
        "workers": {"replicas": 1, "drainSeconds": 10},
    },
    "Budget": {"concurrency": {"total": 5, "httpReserved": 1}, "rate": {"total": RATE}},
    "HTTPPolicy": {
        "surface": "fuzzed",
        "trustedProxies": ["10.0.0.0/8"],
        "rules": [
            {
                "name": "one",
                "match": {"methods": ["GET"], "paths": [{"type": "Prefix", "value": "/a"}], "hosts": ["x.example"]},
                "key": {"type": "Header", "header": "x-key"},
                "rate": RATE,
                "inFlight": 3,
                "cost": 1,
            }
        ],
    },
    "PeriodicTask": {
        "schedule": "*/5 * * * *",
        "timeZone": "Europe/Berlin",
        "function": "a.b",
        "args": [1],
        "kwargs": {"x": 1},
        "template": {"spec": {"containers": [{"name": "worker", "image": "x:1"}]}},
    },
}
VERSION = {"apiVersion": "headgate.dev/v1alpha1"}
APPLY = "application/apply-patch+yaml"
IMMUTABLE = {"queue", "surface", "store"}
Path = tuple[str | int, ...]


def fields(node: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every field below `node` with its schema; of a list its first item."""
    for name, child in node.get("properties", {}).items():
        yield (*path, name), child
        yield from fields(child, (*path, name))
        if child.get("type") == "array" and child.get("items", {}).get("type") == "object":
            yield from fields(child["items"], (*path, name, 0))


def values(schema: dict[str, Any]) -> list[Any]:
    """Wrong types, one beyond each bound, each bound, and strings that something will choke on."""
    found: list[Any] = [None, [], {}, True, -1, 2**53, "", "x" * 2000, "\u0000", "../../etc", "{{ .Values }}", 1.5]
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in schema:
            found += [schema[bound], schema[bound] + step]
    if schema.get("type") == "array":
        found += [[None], [{}], ["x"] * (schema.get("maxItems", 16) + 1)]
    found += schema.get("enum", [])
    return found


def with_value(spec: dict[str, Any], path: Path, value: Any) -> dict[str, Any] | None:
    """A copy with `value` at `path`; None when the base has no parent there and making one would be another case."""
    copy: Any = json.loads(json.dumps(spec))
    node = copy
    for step in path[:-1]:
        if isinstance(step, int):
            if not isinstance(node, list) or len(node) <= step:
                return None
            node = node[step]
        else:
            node = node.setdefault(step, [{}] if isinstance(path[path.index(step) + 1], int) else {})
    node[path[-1]] = value
    return copy  # type: ignore[no-any-return]


def spec_schema(definition: Any) -> dict[str, Any]:
    crd = custom_resource_definition(definition)
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "definition", DEFINITIONS, ids=lambda found: custom_resource_definition(found)["spec"]["names"]["kind"]
)
def test_every_field_bad_at_its_edges_and_back(world: World, operator: OperatorProcess, definition: Any) -> None:
    kind = custom_resource_definition(definition)["spec"]["names"]["kind"]
    base, resource = BASES[kind], f"{kind.lower()}/fuzzed"
    shared = {**VERSION, "kind": "Budget", "metadata": {"name": "shared"}, "spec": BASES["Budget"]}
    world.apply(policy("neighbour", concurrency={"total": 7}), json.dumps(shared))
    world.await_condition("queuepolicy/neighbour", "Accepted", "True", "Valid")
    neighbour, pid = world.document("neighbour"), operator.pid
    path = path_of(KIND[kind.lower()], world.namespace)
    body = {**VERSION, "kind": kind, "metadata": {"name": "fuzzed"}}
    world.control_plane.request("POST", path, {**body, "spec": base})
    until(lambda: world.condition(resource, "Accepted")[0], "the base has a verdict")
    assert world.condition(resource, "Accepted")[0] == "True", world.message(resource, "Accepted")

    refused = accepted = 0
    for field, schema in fields(spec_schema(definition)):
        if field[0] in IMMUTABLE:
            continue
        took = False
        for value in values(schema):
            spec = with_value(base, field, value)
            if spec is None:
                continue
            if not put(world, path, body, spec):
                refused += 1
                continue
            accepted += 1
            took = True
        if took:
            until(lambda: world.condition(resource, "Accepted")[0], f"a verdict on {field}", 20)
            put(world, path, body, base)
    until(lambda: world.condition(resource, "Accepted")[0] == "True", "the base is in force again", 20)
    assert refused > accepted > 0
    assert operator.pid == pid, "the operator never ended"
    assert world.document("neighbour") == neighbour
    assert "Traceback" not in operator.log


def put(world: World, path: str, body: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Apply the object; False when the server refuses it as invalid, which is the only refusal that is right."""
    try:
        address = f"{path}/fuzzed?fieldManager=fuzz&force=true&fieldValidation=Strict"
        world.control_plane.request("PATCH", address, {**body, "spec": spec}, APPLY)
    except ControlPlaneError as error:
        if error.status in (400, 422) or "failed to create typed patch object" in str(error):
            return False
        raise
    return True
