"""Capacity and limits: the arithmetic that answers how many jobs can run at once."""

from typing import Any

import pytest

from headgate.model.documents import BudgetDocument, BudgetShare, OverrideDocument, QueueDocument, RateDocument
from headgate.status.capacity import capacity, override_in_force, stop_policy_in_force
from headgate.status.limits import limits

BUDGETS = {
    "mail/taskforce": BudgetDocument(name="mail/taskforce", total=12, http_reserved=2),
    "mail/rate-only": BudgetDocument(name="mail/rate-only", rate=RateDocument(limit=5, period_ms=1000)),
}
NOW = 1_000


def document(**fields: Any) -> QueueDocument:
    return QueueDocument(queue="campaigns", per_worker=5, **fields)


def shares(**weights: int) -> tuple[BudgetShare, ...]:
    return tuple(BudgetShare(name=f"mail/{name.replace('_', '-')}", weight=weight) for name, weight in weights.items())


OVERRIDE = OverrideDocument(total=1, reason="slow", expire_ms=2_000)


@pytest.mark.parametrize(
    ("fields", "replicas", "bound", "by"),
    [
        ({}, 2, 10, "slots"),
        ({}, 0, 0, "slots"),
        ({"total": 7}, 2, 7, "total"),
        ({"total": 10}, 2, 10, "slots"),
        ({"total": 70}, 2, 10, "slots"),
        ({"budgets": shares(taskforce=3)}, 2, 3, "budget/taskforce"),
        ({"budgets": shares(taskforce=1), "total": 4}, 2, 4, "total"),
        ({"budgets": shares(rate_only=1)}, 2, 10, "slots"),
        ({"budgets": shares(gone=1)}, 2, 10, "slots"),
        ({"budgets": shares(taskforce=11)}, 2, 0, "budget/taskforce"),
        ({"total": 7, "mode": "Shadow", "budgets": shares(taskforce=3)}, 2, 10, "slots"),
        ({"total": 7, "override": OVERRIDE}, 2, 1, "total"),
        ({"override": OVERRIDE}, 2, 1, "total"),
        ({"total": 7, "override": OverrideDocument(total=1, reason="x", expire_ms=NOW)}, 2, 7, "total"),
        ({"total": 7, "override": OverrideDocument(stop_policy="Hold", reason="x", expire_ms=9_000)}, 2, 7, "total"),
    ],
)
def test_the_bound_is_the_least_number(fields: dict[str, Any], replicas: int, bound: int, by: str) -> None:
    """Slots win ties; reserved places are no places for jobs; an expired override counts for nothing."""
    found = capacity(document(**fields), replicas, BUDGETS, NOW)
    assert (found.slots, found.bound, found.bound_by) == (replicas * 5, bound, by)


def test_demand_on_a_budget_leaves_that_budget_out() -> None:
    """What its members would run if it were not there."""
    wanted = document(budgets=shares(taskforce=3), total=8)
    assert capacity(wanted, 2, BUDGETS, NOW, without="mail/taskforce").bound == 8


def test_an_override_changes_what_it_names_until_it_expires() -> None:
    """By the store's clock, in milliseconds."""
    wanted = document(stop_policy="Hold", override=OverrideDocument(stop_policy="None", reason="x", expire_ms=NOW + 1))
    assert stop_policy_in_force(wanted, NOW) == "None"
    assert stop_policy_in_force(wanted, NOW + 1) == "Hold"
    assert override_in_force(wanted, NOW + 1) is None


def test_limits_name_their_source() -> None:
    """Spec, Default for the rate that nobody declared, Override with its end."""
    override = OverrideDocument(total=2, rate_total=RateDocument(limit=1, period_ms=60_000), reason="x", expire_ms=1)
    wanted = document(
        total=10,
        rate_per_worker=RateDocument(limit=50, period_ms=1000),
        rate_total=RateDocument(limit=200, period_ms=1000),
    )
    found = limits(wanted, override, rate_declared=False, expire_time="2026-11-24T00:00:00Z")
    assert found == [
        {"name": "concurrency.perWorker", "value": "5", "source": "Spec"},
        {"name": "concurrency.total", "value": "2", "source": "Override", "expireTime": "2026-11-24T00:00:00Z"},
        {"name": "rate.perWorker", "value": "50/1s", "source": "Default"},
        {"name": "rate.total", "value": "1/60s", "source": "Override", "expireTime": "2026-11-24T00:00:00Z"},
    ]
    assert {entry["name"]: entry["value"] for entry in limits(wanted, None, rate_declared=True)} == {
        "concurrency.perWorker": "5",
        "concurrency.total": "10",
        "rate.perWorker": "50/1s",
        "rate.total": "200/1s",
    }


def test_a_stop_policy_that_an_override_sets_is_a_limit_too() -> None:
    """At 3 a.m. one looks here first."""
    override = OverrideDocument(stop_policy="Hold", reason="x", expire_ms=1)
    assert limits(document(), override, rate_declared=True, expire_time="t")[0] == {
        "name": "stopPolicy",
        "value": "Hold",
        "source": "Override",
        "expireTime": "t",
    }
