"""Rules that join several fields, written once for two judges: CEL in the API server, Python in `parse`.

A `Rule` looks at one object, a `Transition` at an object and what it was before an update. Both carry the sentence
that either judge gives back, so that a file and a cluster refuse the same thing in the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """`cel` and `holds` say the same. `names` are the fields (as written in YAML) whose values a refusal quotes."""

    cel: str
    message: str
    holds: Callable[[Any], bool]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """`holds(new, old)` is asked on updates only. `field` puts the CEL on that field: there `self` is its value."""

    cel: str
    message: str
    holds: Callable[[Any, Any], bool]
    field: str | None = None


def as_validations(rules: tuple[Rule | Transition, ...]) -> list[dict[str, str]]:
    """The form that a CRD wants: `x-kubernetes-validations`."""
    return [{"rule": rule.cel, "message": rule.message} for rule in rules]
