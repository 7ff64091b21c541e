"""An operator's override: other limits for one queue until a moment of the store's clock, whatever is published.

It stands in the store beside the document's own override and wins over it; fields that are None change nothing. It
survives a new publication of the queue, and goes when it expires, is cleared, or the queue is unpublished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headgate.gates.wire import Argument
from headgate.model.documents import OverrideDocument, RateDocument

MAX_OVERRIDE_MS = 7 * 86_400_000
"""A week: what is to stay longer belongs into the policy."""


@dataclass(frozen=True, slots=True)
class Override:
    """Set one. In force for `ms` from the store's now; `by` and `reason` are for people."""

    queue: str
    ms: int
    reason: str
    by: str = ""
    stop_policy: Literal["None", "Hold", "HoldAndDrain"] | None = None
    total: int | None = None
    rate_total: RateDocument | None = None


@dataclass(frozen=True, slots=True)
class OverrideState:
    """One that is in force, and who set it when (ms)."""

    document: OverrideDocument
    by: str
    since: int


def arguments(override: Override) -> list[Argument]:
    rate = override.rate_total
    values: Mapping[str, Any] = {
        "stop_policy": override.stop_policy,
        "total": override.total,
        "rate_total": rate and rate.model_dump(),
        "reason": override.reason,
        "by": override.by,
    }
    return [override.queue, override.ms, json.dumps({name: value for name, value in values.items() if value})]


def set_until(body: Sequence[Any]) -> int | None:
    """When it ends (ms); None when no policy is published for the queue."""
    return int(body[0]) or None


def state(text: str) -> OverrideState:
    """As the script keeps it."""
    record: dict[str, Any] = json.loads(text)
    by, since = record.pop("by", ""), int(record.pop("since"))
    return OverrideState(OverrideDocument.model_validate(record), by, since)


def in_force(document: OverrideDocument | None, override: OverrideState | None, now_ms: int) -> OverrideDocument | None:
    """Both kinds as one, field by field: the operator's wins. None when neither is in force."""
    declared = document if document and document.expire_ms > now_ms else None
    set_ = override.document if override and override.document.expire_ms > now_ms else None
    if declared is None or set_ is None:
        return set_ or declared
    stronger = {name: value for name, value in set_ if value is not None}
    return declared.model_copy(update=stronger)
