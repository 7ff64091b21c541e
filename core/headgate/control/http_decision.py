"""What is to be done about one HTTPPolicy: a pure function of the facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headgate.control.checks import (
    a_budget_is_elsewhere,
    a_budget_is_missing,
    another_policy_rules_it,
    store_is_unknown,
)
from headgate.control.facts import PolicyFacts
from headgate.control.stores import Site
from headgate.desired.documents import http_document
from headgate.desired.unmatchable import unmatchable
from headgate.gates.http import PROXY_INSTANCE
from headgate.model.budget import Budget
from headgate.model.documents import HttpDocument, HttpRule
from headgate.model.http_policy import HTTPPolicy
from headgate.status import reasons
from headgate.status.conditions import Verdict

HttpFacts = PolicyFacts[HTTPPolicy]


@dataclass(frozen=True, slots=True)
class HttpDecision:
    """`document` None: leave what is published as it is (the last good limits).

    `withdraw`: take back what this policy had published, another one rules its surface.
    """

    accepted: Verdict
    document: HttpDocument | None = None
    withdraw: bool = False


def decide_http(facts: HttpFacts, site: Site) -> HttpDecision:
    """The first check that finds something decides; when none does, the spec is in use."""
    policy = facts.policy
    if policy is None:
        return HttpDecision(Verdict(reasons.INVALID_SPEC, facts.mistakes))
    for check in CHECKS:
        verdict = check(facts, policy, site)
        if verdict:
            return HttpDecision(verdict, withdraw=verdict.reason is reasons.SURFACE_CONFLICT)
    return HttpDecision(Verdict(reasons.VALID), http_document(policy))


def a_rule_matches_nothing(_: HttpFacts, policy: HTTPPolicy, __: Site) -> Verdict | None:
    sentences = list(unmatchable(policy))
    return Verdict(reasons.INVALID_SPEC, "\n".join(sentences)) if sentences else None


def a_proxy_never_sees_the_end(facts: HttpFacts, policy: HTTPPolicy, _: Site) -> Verdict | None:
    """/authz answers for this surface, and its proxy does not call /report."""
    surface = facts.picture.surfaces.get(policy.surface)
    if not surface or not any(name.startswith(PROXY_INSTANCE) for name in surface.instances):
        return None
    for index, rule in enumerate(http_document(policy).rules):
        field = _needs_the_end(rule, facts.budgets)
        if field:
            sentence = (
                f"spec.rules[{index}].{field}: a proxy asks for surface {policy.surface} and never says how a request "
                f"ends, which rule {rule.name} must know: let it call /report, or install GateMiddleware instead."
            )
            return Verdict(reasons.NEEDS_MIDDLEWARE, sentence)
    return None


def _needs_the_end(rule: HttpRule, budgets: Mapping[str, Budget | None]) -> str:
    """The field that counts on it, or none."""
    if rule.in_flight is not None:
        return "inFlight"
    if rule.count == "Failures":
        return "count"
    shared = [budgets[share.name] for share in rule.budgets]
    return "budgetRefs" if any(budget and budget.spec.concurrency for budget in shared) else ""


Check = Callable[[HttpFacts, HTTPPolicy, Site], Verdict | None]
CHECKS: tuple[Check, ...] = (
    store_is_unknown,  # without a store nothing else can be said
    another_policy_rules_it,  # then nothing of this policy counts
    a_rule_matches_nothing,
    a_budget_is_missing,
    a_budget_is_elsewhere,
    a_proxy_never_sees_the_end,  # last: it knows the budgets
)
