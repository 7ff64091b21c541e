"""Replies of HTTP scripts to answers. Every reply begins with (epoch, seq, now); `body` is what follows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.gates.http import (
    AdmitAnswer,
    Allowed,
    Denied,
    RequestsBeat,
    RequestsRenewal,
    RuleCounts,
    RuleState,
    StaleRules,
    SurfaceState,
)  # fmt: skip
from headgate.model.documents import HttpDocument


def admit(body: Sequence[Any]) -> AdmitAnswer:
    code = body[0]
    if code == 1:
        places = tuple([place.decode() for place in body[3]]) if body[3] else ()
        return Allowed(_states(body[2]), places, body[1], tuple(body[4]))
    if code == 0:
        return Denied(body[1], body[2].decode(), body[3], _states(body[4]))
    return StaleRules(body[1])


def _states(flat: Sequence[int]) -> tuple[RuleState, ...]:
    return tuple([RuleState(*flat[i : i + 4]) for i in range(0, len(flat), 4)])


def requests_renewal(body: Sequence[Any], beat: RequestsBeat, now: int) -> RequestsRenewal:
    revisions, instances = (dict(zip(beat.surfaces, counts, strict=True)) for counts in (body[0], body[2]))
    return RequestsRenewal(revisions, body[1], now, instances)


def document(revision: bytes | None, text: bytes | None) -> tuple[int, HttpDocument] | None:
    return None if text is None else (int(revision or 0), HttpDocument.model_validate_json(text))


def surfaces(body: Sequence[Any]) -> Mapping[str, SurfaceState]:
    raw = json.loads(body[0])
    processes = {name: _pairs(flat) for name, flat in _map(raw["apis"]).items()}
    return {name: _surface(name, read, processes) for name, read in _map(raw["surfaces"]).items()}


def _map(value: Any) -> Mapping[str, Any]:
    """An empty Lua table is a list in JSON."""
    return value if isinstance(value, dict) else {}


def _pairs(flat: Any) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True)) if flat else {}


def _surface(surface: str, read: Mapping[str, Any], processes: Mapping[str, Mapping[str, str]]) -> SurfaceState:
    document = HttpDocument.model_validate_json(read["doc"])
    stats, denied = _pairs(read["stats"]), _map(read["denied"])
    together = [(field[2:].split(" "), int(count)) for field, count in stats.items() if field.startswith("A:")]

    def counts(rule: str) -> RuleCounts:
        allowed, refused, shadowed, near = (int(stats.get(f"{letter}:{rule}", 0)) for letter in "adsn")
        allowed += sum(count for names, count in together if rule in names)
        in_flight = sum(int(process.get(f"i:{surface}/{rule}", 0)) for process in processes.values())
        return RuleCounts(allowed, refused, shadowed, near, int(denied.get(rule, 0)), in_flight)

    return SurfaceState(
        surface=surface,
        revision=int(read["revision"]),
        document=document,
        rules={rule.name: counts(rule.name) for rule in document.rules},
        instances={
            name: int(process[f"s:{surface}"]) for name, process in processes.items() if f"s:{surface}" in process
        },
    )
