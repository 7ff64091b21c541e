"""Whether a status is worth a write: at once when an answer changed, seldom when only a count moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

COUNTERS = ("replicas", "readyReplicas", "drainingReplicas", "enforcement", "members", "demand")
COUNTER_SECONDS = 15.0
"""Counts are written at most this often for each object."""


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Literal["none", "counters", "answers"]:
    """Messages count as counters: they quote numbers."""
    if before == after:
        return "none"
    return "counters" if _answers(before) == _answers(after) else "answers"


def _answers(status: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in status.items() if name not in COUNTERS}
    rest["conditions"] = [
        {name: value for name, value in condition.items() if name != "message"}
        for condition in status.get("conditions", ())
    ]
    return rest
