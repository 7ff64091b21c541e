"""From `kubectl apply` to children, documents and conditions, by an operator that has exactly its own rights."""

from collections.abc import Callable

from .operator_fixtures import CHILDREN, World
from .operator_process import OperatorProcess, budget, policy, until


def test_policies_become_children_documents_and_conditions(world: World, operator: OperatorProcess) -> None:
    world.apply(
        budget("mail", concurrency={"total": 4}),
        policy("campaigns", concurrency={"perWorker": 5, "total": 10}, budgetRefs=[{"name": "mail"}]),
        policy("emails", queue="outgoing", workers={"replicas": 2}),
    )
    for name in ("campaigns", "emails"):
        world.await_condition(f"queuepolicy/{name}", "Accepted", "True", "Valid")
    owner = world.get("queuepolicy/campaigns")
    assert owner
    for kind in CHILDREN:
        child = world.get(f"{kind}/campaigns-worker")
        assert child, kind
        (reference,) = child["metadata"]["ownerReferences"]
        assert reference["uid"] == owner["metadata"]["uid"]
        assert reference["controller"] is True
    document = world.document("campaigns")
    assert document
    assert (document.per_worker, document.total, document.budgets[0].name) == (5, 10, f"{world.namespace}/mail")
    assert world.document("outgoing")
    deployment = world.get("deployment/emails-worker")
    assert deployment
    assert deployment["spec"]["replicas"] == 2
    status = world.status("campaigns")
    assert status["observedGeneration"] == owner["metadata"]["generation"]
    assert status["capacity"] == {"slots": 5, "bound": 4, "boundBy": f"budget/{world.namespace}/mail"} or status["capacity"]["bound"] == 4
    assert {each["type"] for each in status["conditions"]} == {
        "Accepted", "Enforced", "WorkersReady", "Throttled", "Degraded", "Ready",
    }  # fmt: skip
    world.await_condition("budget/mail", "Ready", "True", world.condition("budget/mail", "Ready")[1])
