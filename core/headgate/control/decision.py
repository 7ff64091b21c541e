"""What is to be done about one policy: a pure function of the facts. Each check is named after what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.control.checks import (
    a_budget_is_elsewhere,
    a_budget_is_missing,
    another_policy_rules_it,
    store_is_unknown,
)
from headgate.control.facts import Facts
from headgate.control.stores import Site
from headgate.desired.children import Child, children
from headgate.desired.documents import queue_document
from headgate.desired.forbidden import refusals
from headgate.desired.shape import misshapen
from headgate.desired.wanted import Wanted
from headgate.model.documents import QueueDocument
from headgate.model.queue_policy import QueuePolicy
from headgate.status import reasons
from headgate.status.capacity import stop_policy_in_force
from headgate.status.conditions import Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """`document` None and `children` None: leave what is published, and what runs, as it is (the last good limits).

    `withdraw`: take back what this policy had published, another one rules its queue.
    """

    accepted: Verdict
    document: QueueDocument | None = None
    children: tuple[Child, ...] | None = None
    withdraw: bool = False
    replicas: int = 0


def decide(facts: Facts, site: Site) -> Decision:
    """The first check that finds something decides; when none does, the spec is in use."""
    policy = facts.policy
    if policy is None:
        return Decision(Verdict(reasons.INVALID_SPEC, facts.mistakes))
    for check in CHECKS:
        verdict = check(facts, policy, site)
        if verdict is None:
            continue
        if verdict.reason is reasons.QUEUE_CONFLICT:
            return Decision(verdict, children=(), withdraw=True)
        return Decision(verdict)
    wanted = _wanted(facts, policy, site)
    return Decision(
        accepted=Verdict(reasons.VALID),
        document=queue_document(policy),
        children=tuple(children(wanted)),
        replicas=wanted.replicas,
    )


Check = Callable[[Facts, QueuePolicy, Site], Verdict | None]


def the_template_is_no_pod(facts: Facts, policy: QueuePolicy, site: Site) -> Verdict | None:
    wrong = list(misshapen(_wanted(facts, policy, site).template_spec))
    return Verdict(reasons.TEMPLATE_INVALID, "\n".join(wrong)) if wrong else None


def the_template_is_forbidden(facts: Facts, policy: QueuePolicy, site: Site) -> Verdict | None:
    refused = refusals(
        _wanted(facts, policy, site), own_namespace=site.own_namespace, admission_policy=site.admission_policy
    )
    return Verdict(reasons.TEMPLATE_FORBIDDEN, "\n".join(refused)) if refused else None


def no_image_is_named(facts: Facts, policy: QueuePolicy, site: Site) -> Verdict | None:
    if _wanted(facts, policy, site).image:
        return None
    namespace = policy.metadata.namespace
    sentence = (
        "spec.workers.template.spec.containers[worker].image: missing, and namespace "
        f"{namespace} has no worker default for it; name the image that has your application and headgate in it."
    )
    return Verdict(reasons.IMAGE_MISSING, sentence)


CHECKS: tuple[Check, ...] = (
    store_is_unknown,  # without a store nothing else can be said
    another_policy_rules_it,  # then nothing of this policy counts
    a_budget_is_missing,
    a_budget_is_elsewhere,
    the_template_is_no_pod,  # before anybody reads into it
    the_template_is_forbidden,
    no_image_is_named,  # last: where templates may name no image, that is what must be said
)


def _wanted(facts: Facts, policy: QueuePolicy, site: Site) -> Wanted:
    if facts.store is None:
        raise AssertionError("checks that look at the workers come after the one for the store")
    drained = stop_policy_in_force(queue_document(policy), facts.now_ms) == "HoldAndDrain"
    replicas = 0 if drained else policy.spec.workers.replicas
    return Wanted(policy, facts.store, site.defaults_for(policy.metadata.namespace), replicas)
