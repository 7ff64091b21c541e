"""HTTPPolicy from `kubectl apply` to the store and back into its status, by an operator with exactly its own rights."""

import time

from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, RateDocument

from .operator_fixtures import World
from .operator_process import OperatorProcess, budget, http_policy, until

GENERAL = {"name": "general", "match": {"paths": [{"value": "/api"}]}, "rate": {"limit": 100, "periodSeconds": 900}}
HEAVY = {"name": "heavy", "inFlight": 5, "budgetRefs": [{"name": "database"}]}


def test_a_surface_is_published_changed_acknowledged_and_taken_back(world: World, operator: OperatorProcess) -> None:
    world.apply(
        budget("database", concurrency={"total": 20, "httpReserved": 2}),
        http_policy("web", GENERAL, HEAVY, surface="api"),
    )
    world.await_condition("httppolicy/web", "Ready", "True", "InForce")
    assert world.condition("httppolicy/web", "Enforced") == ("True", "NoInstances")
    document = world.http_document("api")
    assert document
    assert document.rules[0].rate == RateDocument(limit=100, period_ms=900_000)
    assert document.rules[1].budgets[0].name == f"{world.namespace}/database"
    until(lambda: (world.get("budget/database") or {})["status"].get("members") == ["HTTPPolicy/web"], "its member")

    head, row = world.kubectl("get", "hp").splitlines()
    assert head.split() == ["NAME", "SURFACE", "RULES", "ENFORCED", "READY", "REASON", "AGE"]
    assert row.split()[:-1] == ["web", "api", "2", "0/0", "True", "InForce"]

    revision = revision_of(world)
    world.serve("api", "api-1-aaaaaa", revision)
    world.await_condition("httppolicy/web", "Enforced", "True", "AllAcknowledged")
    world.patch("httppolicy/web", rules=[{**GENERAL, "rate": {"limit": 5, "periodSeconds": 60}}])
    until(lambda: world.http_document("api").rules[0].rate.limit == 5, "the new limit is in the store", 5)
    world.serve("api", "api-1-aaaaaa", revision)
    world.await_condition("httppolicy/web", "Enforced", "False", "PartiallyAcknowledged")
    world.serve("api", "api-1-aaaaaa", revision_of(world))
    world.await_condition("httppolicy/web", "Enforced", "True", "AllAcknowledged")

    world.kubectl("delete", "httppolicy/web", "--timeout=10s")
    until(lambda: world.http_document("api") is None, "the document is gone", 10)


def revision_of(world: World) -> int:
    return int((world.get("httppolicy/web") or {})["status"]["revision"])


def test_mistakes_are_named_and_the_last_good_limits_stay(world: World, operator: OperatorProcess) -> None:
    world.apply(http_policy("web", GENERAL))
    world.await_condition("httppolicy/web", "Ready", "True", "InForce")
    world.patch("httppolicy/web", rules=[GENERAL, HEAVY])
    world.await_condition("httppolicy/web", "Accepted", "False", "BudgetNotFound")
    assert f"spec.rules[1].budgetRefs[0].name: there is no Budget {world.namespace}/database" in world.message(
        "httppolicy/web", "Accepted"
    )
    assert len(world.http_document("web").rules) == 1
    time.sleep(1.1)  # ages are whole seconds
    world.apply(http_policy("young", GENERAL, surface="web"))
    world.await_condition("httppolicy/young", "Accepted", "False", "SurfaceConflict")
    events = world.kubectl("get", "events.events.k8s.io", "-o", "jsonpath={.items[*].reason}").split()
    assert {"BudgetNotFound", "SurfaceConflict"} <= set(events)
    world.kubectl("delete", "httppolicy/web")
    world.await_condition("httppolicy/young", "Ready", "True", "InForce")


def test_a_surface_of_another_cluster_stays_as_it_is(world: World, operator: OperatorProcess) -> None:
    theirs = Owner("other/api", "uid-there", 1, "another-cluster")
    world.publish(HttpDocument(surface="api"), theirs)
    world.apply(http_policy("api", GENERAL))
    world.await_condition("httppolicy/api", "Accepted", "False", "SurfaceConflict")
    assert "other/api of cluster another-cluster" in world.message("httppolicy/api", "Accepted")
    assert world.http_document("api").rules == ()
