"""What is wrong with a manifest, in sentences: field path, value, and what would be right (read from the schema)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from headgate.model.common import PATTERN_WORDS
from headgate.model.structural import Node, node_at, structural

Path = tuple[str | int, ...]
_VALUE_SHOWN = 60
"""Characters of a wrong value that a sentence quotes."""


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence for each mistake, in the order of the fields."""
    schema = structural(model)
    details = error.errors()
    return [line for detail in details if not _follows(detail, details) for line in _lines(detail, schema)]


def _follows(detail: ErrorDetails, others: list[ErrorDetails]) -> bool:
    """A list is called too short without the items that are wrong themselves: those sentences suffice."""
    path = detail["loc"]
    below = (other["loc"] for other in others if len(other["loc"]) > len(path))
    return detail["type"] == "too_short" and any(other[: len(path)] == path for other in below)


def written(path: Path) -> str:
    """`spec.budgetRefs[0].name`"""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(parts).removeprefix(".") or "the manifest"


def expected(node: Node | None) -> str:
    """What a schema node takes, in words."""
    if node is None:
        return "a value"
    if "enum" in node:
        return " or ".join(filter(None, (", ".join(node["enum"][:-1]), node["enum"][-1])))
    match node.get("type"):
        case "integer":
            return (
                f"a whole number from {node.get('minimum', 0)} to {node['maximum']}"
                if "maximum" in node
                else "a whole number"
            )
        case "boolean":
            return "true or false"
        case "array":
            fewest = f"{node['minItems']} to" if "minItems" in node else "at most"
            return f"a list of {fewest} {node['maxItems']}" if "maxItems" in node else "a list"
        case "object":
            return f"a mapping with {', '.join(node['properties'])}" if "properties" in node else "a mapping"
    return _expected_text(node)


def _expected_text(node: Node) -> str:
    if node.get("format") == "date-time":
        return "a time with a zone, such as 2026-11-24T03:00:00Z"
    words = [PATTERN_WORDS.get(node.get("pattern", ""), "text")]
    if "maxLength" in node:
        words.append(f"at most {node['maxLength']} characters")
    return ", ".join(words)


def _lines(detail: ErrorDetails, schema: Node) -> Iterator[str]:
    path = detail["loc"]
    if detail["type"] == "rule":
        for sentence in detail["ctx"]["sentences"].split("\n"):
            yield sentence if not path else f"{written(path)}: {sentence}"
    elif detail["type"] == "duplicate":
        yield f"{written(path)}: {detail['msg']}, name it once"
    elif detail["type"] == "missing":
        yield f"{written(path)}: missing, give {expected(node_at(schema, path))}"
    elif detail["type"] == "extra_forbidden":
        yield f"{written(path)}: unknown field, {_remedy(path, schema)}"
    else:
        yield f"{written(path)}: {_shown(detail['input'])} is not allowed, give {expected(node_at(schema, path))}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}..."


def _remedy(path: Path, schema: Node) -> str:
    """The likely field: one of that name elsewhere, else a neighbour or another one with a similar name."""
    *above, name = path
    neighbours = (node_at(schema, tuple(above)) or {}).get("properties", {})
    elsewhere = {str(step[-1]): step for step in _fields(schema)}
    if name in elsewhere:
        return f"did you mean {' or '.join(written(step) for step in _fields(schema) if step[-1] == name)}?"
    if near := get_close_matches(str(name), neighbours, n=1):
        return f"did you mean {written((*above, near[0]))}?"
    if near := get_close_matches(str(name), elsewhere, n=1, cutoff=0.8):
        return f"did you mean {written(elsewhere[near[0]])}?"
    return f"remove it (known here: {', '.join(neighbours)})"


def _fields(node: Node, path: Path = ()) -> Iterator[Path]:
    for name, below in node.get("properties", {}).items():
        yield (*path, name)
        yield from _fields(below["items"], (*path, f"{name}[]")) if "items" in below else _fields(below, (*path, name))
