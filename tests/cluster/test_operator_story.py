"""From `kubectl apply` to children, documents and conditions, by an operator that has exactly its own rights."""

import json

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
    assert status["queue"] == "campaigns"
    assert (status["capacity"]["slots"], status["capacity"]["bound"]) == (5, 4)
    assert {"name": "concurrency.total", "value": "10", "source": "Spec"} in status["limits"]
    assert {each["type"] for each in status["conditions"]} == {
        "Accepted", "Enforced", "WorkersReady", "Throttled", "Degraded", "Ready",
    }  # fmt: skip
    assert world.condition("queuepolicy/campaigns", "Enforced") == ("True", "NoInstances")
    world.await_condition("budget/mail", "Ready", "True", world.condition("budget/mail", "Ready")[1])
    until(lambda: (world.get("budget/mail") or {})["status"].get("members") == ["QueuePolicy/campaigns"], "its member")
    assert "campaigns" in world.kubectl("get", "qp")


def test_a_changed_limit_is_in_the_store_at_once_and_rolls_no_pod(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("emails", concurrency={"total": 10}))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    before = world.get("deployment/emails-worker")
    world.patch("queuepolicy/emails", concurrency={"total": 2})
    until(lambda: world.document("emails").total == 2, "the new limit is in the store", 5)
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances")
    after = world.get("deployment/emails-worker")
    assert before
    assert after
    assert before["spec"]["template"] == after["spec"]["template"]
    assert before["metadata"]["generation"] == after["metadata"]["generation"]


def test_a_deleted_policy_takes_its_children_and_its_document_with_it_and_nothing_hangs(
    world: World, operator: OperatorProcess
) -> None:
    world.apply(policy("emails"))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    found = world.get("queuepolicy/emails")
    assert found
    assert "finalizers" not in found["metadata"]
    assert not any("kopf" in key for key in found["metadata"].get("annotations", {}))
    world.kubectl("delete", "queuepolicy/emails", "--timeout=10s")
    until(lambda: world.document("emails") is None, "the document is gone", 10)
    for kind in CHILDREN:
        until(lambda kind=kind: world.get(f"{kind}/emails-worker") is None, f"the {kind} is gone", 10)


def test_delete_and_create_again_with_other_limits_and_the_new_ones_hold(
    world: World, operator: OperatorProcess
) -> None:
    world.apply(policy("emails", concurrency={"total": 10}))
    for number in range(12):  # a generation that the new one starts far below
        world.patch("queuepolicy/emails", concurrency={"total": 10 + number})
    until(lambda: world.document("emails") and world.document("emails").total == 21, "the last limit")
    world.kubectl("delete", "queuepolicy/emails")
    world.apply(policy("emails", concurrency={"total": 3}))
    until(lambda: world.document("emails") and world.document("emails").total == 3, "the new limit", 10)
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances")
    owner = world.get("queuepolicy/emails")
    assert owner

    def owned_by_the_new_one() -> bool:
        child = world.get("deployment/emails-worker")
        return bool(child) and child["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]

    until(owned_by_the_new_one, "a Deployment of the new policy")


def test_what_users_should_know_is_an_event(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("emails", budgetRefs=[{"name": "nowhere"}]))
    world.await_condition("queuepolicy/emails", "Accepted", "False", "BudgetNotFound")
    events = until(lambda: json.loads(world.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"], "an Event")
    (event,) = [each for each in events if each["reason"] == "BudgetNotFound"]
    assert event["type"] == "Warning"
    assert event["regarding"]["name"] == "emails"
    assert "nowhere" in event["note"]
    assert "BudgetNotFound" in world.kubectl("describe", "queuepolicy/emails")
