"""What is published is the spec with every default filled in."""

from collections.abc import Callable

from headgate.desired.documents import budget_document, document_of, http_document, queue_document
from headgate.desired.wanted import Wanted
from headgate.model.budget import Budget
from headgate.model.documents import (
    BudgetDocument,
    BudgetShare,
    HttpDocument,
    HttpMatch,
    HttpRule,
    JobRules,
    OverrideDocument,
    PathMatch,
    QueueDocument,
    RateDocument,
)
from headgate.model.http_policy import HTTPPolicy
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


def test_a_surface_with_nothing_but_a_rule() -> None:
    """Every default is that of the resource: Local, 30 s, 1 MiB, all requests, by address."""
    policy = parse(
        {
            "apiVersion": "headgate.dev/v1alpha1",
            "kind": "HTTPPolicy",
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {"rules": [{"name": "general", "rate": {"limit": 100, "periodSeconds": 900}}]},
        }
    )
    assert isinstance(policy, HTTPPolicy)
    rule = HttpRule(name="general", rate=RateDocument(limit=100, period_ms=900_000))
    assert http_document(policy) == HttpDocument(surface="api", rules=(rule,))
    assert document_of(policy) == http_document(policy)


def test_every_field_of_a_surface_arrives() -> None:
    """Budgets by their full name, periods in milliseconds, in the order in which the rules were written."""
    policy = parse(
        {
            "apiVersion": "headgate.dev/v1alpha1",
            "kind": "HTTPPolicy",
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {
                "surface": "public",
                "onStoreFailure": "Deny",
                "trustedProxies": ["10.0.0.0/8"],
                "ipv6PrefixLength": 56,
                "requestTimeoutSeconds": 5,
                "maxBodyBytes": 0,
                "rules": [
                    {
                        "name": "start",
                        "mode": "Shadow",
                        "match": {
                            "methods": ["POST"],
                            "paths": [{"value": "/a"}, {"type": "Template", "value": "/b/{id}"}],
                            "hosts": ["example.com"],
                        },
                        "key": {"type": "Header", "header": "X-Api-Key"},
                        "rate": {"limit": 10, "periodSeconds": 60},
                        "inFlight": 3,
                        "count": "Failures",
                        "cost": 2,
                        "budgetRefs": [{"name": "database", "weight": 4}],
                    },
                    {"name": "other", "inFlight": 1, "key": {"type": "Global"}},
                ],
            },
        }
    )
    assert isinstance(policy, HTTPPolicy)
    assert http_document(policy) == HttpDocument(
        surface="public",
        on_store_failure="Deny",
        trusted_proxies=("10.0.0.0/8",),
        ipv6_prefix_length=56,
        request_timeout_seconds=5,
        max_body_bytes=0,
        rules=(
            HttpRule(
                name="start",
                mode="Shadow",
                match=HttpMatch(
                    methods=("POST",),
                    paths=(PathMatch(value="/a"), PathMatch(type="Template", value="/b/{id}")),
                    hosts=("example.com",),
                ),
                key="Header",
                header="X-Api-Key",
                rate=RateDocument(limit=10, period_ms=60_000),
                in_flight=3,
                count="Failures",
                cost=2,
                budgets=(BudgetShare(name="shop/database", weight=4),),
            ),
            HttpRule(name="other", in_flight=1, key="Global"),
        ),
    )
