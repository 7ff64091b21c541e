"""Server-side apply for one field manager: what it applied last decides which fields it gives up now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LIST_KEYS: Mapping[str, str] = {
    "conditions": "type",
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "ownerReferences": "uid",
    "budgetRefs": "name",
}
"""Lists that merge item by item (`x-kubernetes-list-type: map`) and the item's key. Every other list is one value."""


def merge(live: Any, last: Any, new: Any, field: str = "") -> Any:
    """`live` with all of `new`, and without what the same manager applied in `last` and no longer names.

    Values of other managers stay unless `new` names them, which takes them over (force).
    """
    if isinstance(live, dict) and isinstance(new, dict):
        return _merge_objects(live, last if isinstance(last, dict) else {}, new)
    key = LIST_KEYS.get(field)
    if key and isinstance(live, list) and isinstance(new, list):
        if not all(isinstance(item, dict) and key in item for item in [*live, *new]):
            return new
        return _merge_lists(live, last if isinstance(last, list) else [], new, key)
    return new


def _merge_objects(live: dict[str, Any], last: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name, value in live.items():
        if name in new:
            merged[name] = merge(value, last.get(name), new[name], name)
        elif name not in last:
            merged[name] = value
        else:
            rest = _give_up(value, last[name], name)
            if rest is not None:
                merged[name] = rest
    return merged | {name: value for name, value in new.items() if name not in live}


def _merge_lists(live: Sequence[Any], last: Sequence[Any], new: Sequence[Any], key: str) -> list[Any]:
    """In the order of `new`; items of others follow."""
    by_key = {item[key]: item for item in live}
    owned = {item[key]: item for item in last if isinstance(item, dict) and key in item}
    merged = [merge(by_key[item[key]], owned.get(item[key]), item) if item[key] in by_key else item for item in new]
    named = {item[key] for item in new}
    return merged + [item for item in live if item[key] not in named and item[key] not in owned]


def _give_up(live: Any, last: Any, field: str) -> Any:
    """What is left of a field that its manager dropped: what others put into the same object, else None."""
    if not isinstance(live, dict) or not isinstance(last, dict):
        key = LIST_KEYS.get(field)
        if key and isinstance(live, list) and isinstance(last, list):
            owned = {item.get(key) for item in last}
            return [item for item in live if item.get(key) not in owned] or None
        return None
    return _merge_objects(live, last, {}) or None
