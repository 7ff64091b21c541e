"""Conditions as metav1 wants them: merged into what is there, lastTransitionTime only where the answer flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.status.reasons import READY, Reason

MESSAGE_LIMIT = 1024
Condition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition as judged now."""

    reason: Reason
    message: str = ""

    @property
    def text(self) -> str:
        return self.message or self.reason.meaning


def ready(parts: Sequence[Verdict], fine: Verdict) -> Verdict:
    """`fine` when all parts are; else the reason and message of the first that is not."""
    failing = next((part for part in parts if part.reason.status != "True"), None)
    if failing is None:
        return fine
    reason = failing.reason
    return Verdict(
        # not announced: the part itself is
        Reason(READY, reason.status, reason.name, reason.meaning, reason.action, announced=False),
        f"{reason.condition}: {failing.text}",
    )


def merged(
    before: Sequence[Mapping[str, Any]], verdicts: Sequence[Verdict], generation: int, now: str
) -> list[Condition]:
    """The new list, in the order of `verdicts`. `now` is RFC 3339; `generation` that of the spec that was judged."""
    old = {condition["type"]: condition for condition in before}
    return [_one(old.get(verdict.reason.condition), verdict, generation, now) for verdict in verdicts]


def _one(old: Mapping[str, Any] | None, verdict: Verdict, generation: int, now: str) -> Condition:
    flipped = old is None or old["status"] != verdict.reason.status
    return {
        "type": verdict.reason.condition,
        "status": verdict.reason.status,
        "reason": verdict.reason.name,
        "message": _cut(verdict.text),
        "lastTransitionTime": now if flipped or old is None else old["lastTransitionTime"],
        "observedGeneration": generation,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 3]}..."


def news(before: Sequence[Mapping[str, Any]], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those whose reason is another one than before and worth an Event."""
    old = {condition["type"]: condition.get("reason") for condition in before}
    return [
        verdict
        for verdict in verdicts
        if verdict.reason.announced and old.get(verdict.reason.condition) != verdict.reason.name
    ]
