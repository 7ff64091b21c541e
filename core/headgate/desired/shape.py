"""Whether what builders read of a template has the shape of core/v1: the API server preserves it unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Shape = Any
"""A type; `[shape]` for a list of it; a mapping of fields, `name!` when required, others may stand beside them."""

AMOUNTS: Shape = object()
"""A mapping of resource names to quantities: the API server would not say which of them is wrong."""
QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")

_SECURITY: Shape = {
    "capabilities": {"add": [str], "drop": [str]},
    "seccompProfile": {"type": str},
    "appArmorProfile": {"type": str},
    "windowsOptions": {},
}
_CONTAINER: Shape = {
    "name!": str,
    "image": str,
    "env": [{"name!": str}],
    "envFrom": [{}],
    "volumeMounts": [{"name!": str, "mountPath!": str}],
    "ports": [{"containerPort!": int}],
    "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
    "securityContext": _SECURITY,
}
POD_SPEC: Shape = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [{"name!": str}],
    "securityContext": _SECURITY,
    "serviceAccountName": str,
}
_WORDS = {str: "text", int: "a whole number"}


def misshapen(value: Any, shape: Shape = POD_SPEC, where: str = "spec.workers.template.spec") -> Iterator[str]:
    """A sentence for each part that is not what core/v1 says."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where}: must be a list"
            return
        for index, item in enumerate(value):
            yield from misshapen(item, shape[0], f"{where}[{index}]")
    elif isinstance(shape, Mapping):
        yield from _fields(value, shape, where)
    elif shape is AMOUNTS:
        yield from _amounts(value, where)
    elif not isinstance(value, shape):
        yield f"{where}: must be {_WORDS[shape]}"


def _fields(value: Any, shape: Shape, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where}: must be a mapping"
        return
    for name, below in shape.items():
        field = name.rstrip("!")
        if field in value:
            yield from misshapen(value[field], below, f"{where}.{field}")
        elif name.endswith("!"):
            yield f"{where}.{field}: missing"


def _amounts(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where}: must be a mapping"
        return
    for name, amount in value.items():
        if isinstance(amount, bool) or not QUANTITY.fullmatch(str(amount)):
            yield f"{where}.{name}: {amount!r} is no quantity, write for example 500m or 256Mi"
