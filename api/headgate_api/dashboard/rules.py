"""HTTP rules as the page gets them: counts by rule, never who."""

from __future__ import annotations

from typing import Any

from headgate.gates.http import RuleCounts, SurfaceState
from headgate.model.documents import HttpMatch, HttpRule


def surface(state: SurfaceState) -> dict[str, Any]:
    """`behind`: API processes that do not use the newest revision yet."""
    revisions = list(state.instances.values())
    return {
        "revision": state.revision,
        "failure": state.document.on_store_failure,
        "instances": len(revisions),
        "behind": sum(revision != state.revision for revision in revisions),
        "rules": [_rule(rule, state.rules.get(rule.name, RuleCounts())) for rule in state.document.rules],
    }


def _rule(rule: HttpRule, counts: RuleCounts) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": rule.name,
        "match": _match(rule.match),
        "key": rule.header if rule.key == "Header" else rule.key,
        "shadow": rule.mode == "Shadow",
        "failures": rule.count == "Failures",
        "rate": [rule.rate.limit, rule.rate.period_ms] if rule.rate else None,
        "places": rule.in_flight,
        "budgets": [share.name for share in rule.budgets],
        "allowed": counts.allowed,
        "denied": counts.denied,
        "shadowed": counts.shadowed,
        "near": counts.near,
        "identities": counts.identities_denied,
        "in_flight": counts.in_flight,
    }
    return {name: value for name, value in fields.items() if value}


def _match(match: HttpMatch) -> str:
    """`POST /api/campaigns, /api/lists on api.example.com`"""
    paths = (
        ", ".join(f"{path.value}/…" if path.type == "Prefix" else path.value for path in match.paths) or "every path"
    )
    hosts = f" on {', '.join(match.hosts)}" if match.hosts else ""
    return " ".join((*match.methods, paths.replace("//…", "/…"))) + hosts
