"""What is published is the spec with every default filled in."""

from collections.abc import Callable

from headgate.desired.documents import budget_document, queue_document
from headgate.desired.wanted import Wanted
from headgate.model.budget import Budget
from headgate.model.documents import (
    BudgetDocument,
    BudgetShare,
    JobRules,
    OverrideDocument,
    QueueDocument,
    RateDocument,
)
from headgate.model.parse import parse

Make = Callable[..., Wanted]


def test_a_policy_with_nothing_but_a_name(wanted: Make) -> None:
    """Three slots, ten starts a second for each: the default limiter of the story."""
    assert queue_document(wanted().policy) == QueueDocument(
        queue="campaigns", per_worker=3, rate_per_worker=RateDocument(limit=30, period_ms=1000)
    )


def test_every_field_arrives(wanted: Make) -> None:
    """Budgets by their full name, periods in milliseconds, times as milliseconds since the epoch."""
    spec = {
        "queue": "q",
        "stopPolicy": "Hold",
        "mode": "Shadow",
        "concurrency": {"perWorker": 5, "total": 10, "perKey": 2},
        "rate": {
            "perWorker": {"limit": 7, "periodSeconds": 3},
            "total": {"limit": 200, "periodSeconds": 1},
            "perKey": {"limit": 20, "periodSeconds": 3600},
        },
        "key": {"metaField": "tenant"},
        "budgetRefs": [{"name": "mail", "weight": 2}],
        "backlog": {"limit": 99},
        "override": {
            "stopPolicy": "None",
            "concurrencyTotal": 1,
            "rateTotal": {"limit": 1, "periodSeconds": 60},
            "reason": "slow",
            "expireTime": "1970-01-01T01:00:01.5+01:00",
        },
        "jobs": {
            "deadlineSeconds": 60,
            "payload": "Plain",
            "functions": ["a.b"],
            "onWorkerLost": "Fail",
            "maxLosses": 1,
            "onLeaseLost": "Stop",
        },
    }
    assert queue_document(wanted(spec).policy) == QueueDocument(
        queue="q",
        stop_policy="Hold",
        mode="Shadow",
        per_worker=5,
        total=10,
        per_key=2,
        rate_per_worker=RateDocument(limit=7, period_ms=3000),
        rate_total=RateDocument(limit=200, period_ms=1000),
        rate_per_key=RateDocument(limit=20, period_ms=3_600_000),
        key_field="tenant",
        budgets=(BudgetShare(name="mail/mail", weight=2),),
        backlog=99,
        override=OverrideDocument(
            stop_policy="None",
            total=1,
            rate_total=RateDocument(limit=1, period_ms=60_000),
            reason="slow",
            expire_ms=1500,
        ),
        jobs=JobRules(
            deadline_seconds=60,
            payload="Plain",
            functions=("a.b",),
            on_worker_lost="Fail",
            max_losses=1,
            on_lease_lost="Stop",
        ),
    )


def test_a_budget() -> None:
    """Named with its namespace: two namespaces may share one store."""
    manifest = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Budget",
        "metadata": {"name": "mail", "namespace": "shop"},
        "spec": {"concurrency": {"total": 20, "httpReserved": 2}, "rate": {"total": {"limit": 5, "periodSeconds": 1}}},
    }
    budget = parse(manifest)
    assert isinstance(budget, Budget)
    assert budget_document(budget) == BudgetDocument(
        name="shop/mail", total=20, http_reserved=2, rate=RateDocument(limit=5, period_ms=1000)
    )
