"""Where a policy names budgets, for sentences about them."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.control.reading import Policy
from headgate.model.common import BudgetRef
from headgate.model.queue_policy import QueuePolicy
from headgate.names import full_name


def budget_refs(policy: Policy) -> Iterator[tuple[str, str]]:
    """Field path and full name of each."""
    for path, refs in _lists(policy):
        for index, ref in enumerate(refs):
            yield f"{path}[{index}].name", full_name(policy.metadata.namespace, ref.name)


def _lists(policy: Policy) -> Iterator[tuple[str, tuple[BudgetRef, ...]]]:
    if isinstance(policy, QueuePolicy):
        yield "spec.budgetRefs", policy.spec.budget_refs or ()
        return
    for index, rule in enumerate(policy.spec.limits):
        yield f"spec.rules[{index}].budgetRefs", rule.budget_refs or ()
