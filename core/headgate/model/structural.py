"""A model as a structural schema: pydantic's JSON schema, with references written out and null taken as absent.

Structural is Kubernetes' word for a schema in which every node says its type and nothing is expressed by anyOf.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

Node = dict[str, Any]
_ORDER = ("type", "description", "format", "enum", "default", "properties", "required", "additionalProperties", "items")
_DROPPED = {"title", "$defs", "$ref", "anyOf", "const", "additionalProperties"}


@cache
def structural(model: type[BaseModel]) -> Node:
    """The schema of a model. Shared: do not change what it answers."""
    schema = model.model_json_schema(by_alias=True)
    return _converted(schema, schema.get("$defs", {}))


def node_at(schema: Node, path: tuple[str | int, ...]) -> Node | None:
    """The part of a schema that describes what is at `path`, None below what is preserved unknown."""
    for step in path:
        below = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        below = below or schema.get("additionalProperties")
        if below is None:
            return None
        schema = below
    return schema


def _converted(node: Node, defs: Mapping[str, Node]) -> Node:
    node = _resolved(node, defs)
    out = {name: value for name, value in node.items() if name not in _DROPPED}
    if out.get("default", "") is None:
        del out["default"]
    if isinstance(out.get("default"), dict):
        # The API server fills the defaults of what is inside, as the models do; but its rules judge before that.
        judged = "x-kubernetes-validations" in out
        out["default"] = {k: v for k, v in out["default"].items() if v is not None} if judged else {}
    if "const" in node:
        out["enum"] = [node["const"]]
    if "properties" in out:
        out["properties"] = {name: _converted(below, defs) for name, below in out["properties"].items()}
    if "items" in out:
        out["items"] = _converted(out["items"], defs)
    extra = node.get("additionalProperties")
    if extra is True:
        out["x-kubernetes-preserve-unknown-fields"] = True
    elif extra:
        out["additionalProperties"] = _converted(extra, defs)
    return {name: out[name] for name in (*_ORDER, *sorted(out.keys() - set(_ORDER))) if name in out}


def _resolved(node: Node, defs: Mapping[str, Node]) -> Node:
    """Follow references and `X or null`; what stands beside them (description, default) wins."""
    while "$ref" in node or "anyOf" in node:
        beside = {name: value for name, value in node.items() if name not in ("$ref", "anyOf")}
        if "$ref" in node:
            target = defs[node["$ref"].rpartition("/")[2]]
        else:
            (target,) = (choice for choice in node["anyOf"] if choice.get("type") != "null")
        node = {**target, **beside}
    return node
