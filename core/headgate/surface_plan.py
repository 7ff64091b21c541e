"""The limits of HTTP surfaces in the words of a person: `general 100 requests in any 15 min for each address`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headgate.desired.documents import http_document
from headgate.desired.unmatchable import unmatchable
from headgate.model.budget import Budget
from headgate.model.documents import HttpDocument, HttpMatch, HttpRule, RateDocument
from headgate.model.http_policy import HTTPPolicy
from headgate.names import full_name

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
FOR_EACH = {"ClientIP": "for each address", "User": "for each user", "Global": "for all together"}


@dataclass(frozen=True, slots=True)
class RulePlan:
    """`limits`: what it allows, for whom; `match`: which requests it is about; `mode` Shadow: it only counts."""

    rule: str
    limits: str
    match: str
    mode: str

    def __str__(self) -> str:
        shadow = " (Shadow: only counted)" if self.mode == "Shadow" else ""
        return f"{self.rule} {self.limits}{self.match and f' on {self.match}'}{shadow}"


@dataclass(frozen=True, slots=True)
class SurfacePlan:
    """One surface. `on_store_failure`: Deny, Allow or Local."""

    policy: str
    surface: str
    store: str
    on_store_failure: str
    rules: tuple[RulePlan, ...]


def surface_plans(policies: Iterable[HTTPPolicy], budgets: Mapping[str, Budget]) -> tuple[list[SurfacePlan], list[str]]:
    """Each surface once, and what would not be accepted. The first policy of a surface counts, as with queues."""
    counted: dict[tuple[str, str], HTTPPolicy] = {}
    problems: list[str] = []
    for policy in policies:
        first = counted.setdefault((policy.spec.store, policy.surface), policy)
        if first is not policy:
            problems.append(
                f"{_name(policy)}: surface {policy.surface} of store {policy.spec.store} is already declared by"
                f" {_name(first)}, give it another surface"
            )
    problems += [sentence for policy in counted.values() for sentence in _unmet(policy, budgets)]
    return [_surface_plan(policy) for policy in counted.values()], problems


def members_of(policies: Iterable[HTTPPolicy], budget: str) -> list[str]:
    """Policies with a rule that shares a budget, by full name."""
    return [
        _name(policy)
        for policy in policies
        if any(share.name == budget for rule in http_document(policy).rules for share in rule.budgets)
    ]


def as_lines(plans: Sequence[SurfacePlan]) -> list[str]:
    """`api: general 100 requests in any 15 min for each address`, a line a rule."""
    return [f"{plan.surface}: {rule}" for plan in plans for rule in plan.rules]


def _unmet(policy: HTTPPolicy, budgets: Mapping[str, Budget]) -> Iterable[str]:
    yield from (f"{_name(policy)}: {sentence.rstrip('.')}" for sentence in unmatchable(policy))
    for index, rule in enumerate(http_document(policy).rules):
        for at, share in enumerate(rule.budgets):
            budget, where = budgets.get(share.name), f"{_name(policy)}: spec.rules[{index}].budgetRefs[{at}].name"
            if budget is None:
                yield f"{where}: there is no Budget {share.name}, declare it or remove the reference"
            elif budget.spec.store != policy.spec.store:
                yield (
                    f"{where}: Budget {share.name} is in store {budget.spec.store}, this surface in {policy.spec.store}"
                )


def _surface_plan(policy: HTTPPolicy) -> SurfacePlan:
    document: HttpDocument = http_document(policy)
    rules = tuple(RulePlan(rule.name, limits_of(rule), match_of(rule.match), rule.mode) for rule in document.rules)
    return SurfacePlan(_name(policy), document.surface, policy.spec.store, document.on_store_failure, rules)


def limits_of(rule: HttpRule) -> str:
    """`100 requests in any 15 min for each address`"""
    whom = f"for each {rule.header}" if rule.key == "Header" else FOR_EACH[rule.key]
    own = [_rate(rule, rule.rate)] if rule.rate else []
    own += [f"{rule.in_flight} at once"] if rule.in_flight is not None else []
    shared = [f"within budget {share.name}{_weight(share.weight)}" for share in rule.budgets]
    return ", ".join([f"{' and '.join(own)} {whom}", *shared] if own else shared)


def _rate(rule: HttpRule, rate: RateDocument) -> str:
    noun = "failure" if rule.count == "Failures" else "request"
    cost = f", each counts {rule.cost}," if rule.cost > 1 else ""
    return f"{_many(rate.limit, noun)} in any {_time(rate.period_ms // 1000)}{cost}"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _weight(weight: int) -> str:
    return f" ({weight} places each)" if weight > 1 else ""


def _time(seconds: int) -> str:
    """`15 min`, `1 h`, `90 s`: in the largest unit that is whole."""
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}"


def match_of(match: HttpMatch) -> str:
    """`POST /api/campaigns`, empty for all requests."""
    parts = [
        "|".join(match.methods),
        "|".join(match.hosts),
        ", ".join(_path(path.type, path.value) for path in match.paths),
    ]
    return " ".join(filter(None, parts))


def _path(type_: str, value: str) -> str:
    return f"{value} and below" if type_ == "Prefix" else value


def _name(policy: HTTPPolicy) -> str:
    return full_name(policy.metadata.namespace, policy.metadata.name)
