"""What can be wrong with any policy, whatever it rules. Each check is named after what it finds."""

from __future__ import annotations

from headgate.control.facts import PolicyFacts
from headgate.control.reading import Policy
from headgate.control.references import budget_refs
from headgate.control.stores import Site
from headgate.model.queue_policy import QueuePolicy
from headgate.status import reasons
from headgate.status.conditions import Verdict


def store_is_unknown(facts: PolicyFacts[Policy], policy: Policy, site: Site) -> Verdict | None:
    if facts.store:
        return None
    return unknown_store(policy.spec.store, policy.metadata.namespace, site)


def unknown_store(store: str, namespace: str, site: Site) -> Verdict:
    """Names those that would be right."""
    known = ", ".join(site.stores_for(namespace)) or "none"
    sentence = f"spec.store: {store} is no store of namespace {namespace}, name one of these: {known}."
    return Verdict(reasons.STORE_UNKNOWN, sentence)


def another_policy_rules_it(facts: PolicyFacts[Policy], policy: Policy, _: Site) -> Verdict | None:
    if not facts.rival:
        return None
    what = _ruled(policy)
    reason, name = (
        (reasons.QUEUE_CONFLICT, policy.queue)
        if isinstance(policy, QueuePolicy)
        else (reasons.SURFACE_CONFLICT, policy.surface)
    )
    sentence = f"{what.capitalize()} {name} of store {policy.spec.store} is declared by the older policy {facts.rival}."
    return Verdict(reason, f"{sentence} Delete one of the two, or give this one another {what}.")


def a_budget_is_missing(facts: PolicyFacts[Policy], policy: Policy, _: Site) -> Verdict | None:
    for path, name in budget_refs(policy):
        if facts.budgets[name] is None:
            sentence = f"{path}: there is no Budget {name}, create it or remove the reference."
            return Verdict(reasons.BUDGET_NOT_FOUND, sentence)
    return None


def a_budget_is_elsewhere(facts: PolicyFacts[Policy], policy: Policy, _: Site) -> Verdict | None:
    for path, name in budget_refs(policy):
        budget, what = facts.budgets[name], _ruled(policy)
        if budget and budget.spec.store != policy.spec.store:
            sentence = (
                f"{path}: Budget {name} is in store {budget.spec.store}, "
                f"this {what} in {policy.spec.store}: a {what} can share only budgets of its own store."
            )
            return Verdict(reasons.STORE_MISMATCH, sentence)
    return None


def _ruled(policy: Policy) -> str:
    return "queue" if isinstance(policy, QueuePolicy) else "surface"
