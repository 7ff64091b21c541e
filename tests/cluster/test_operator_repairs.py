"""What others change or delete is put right; what is not ours is left alone; /scale is the way to more workers."""

import json
from collections.abc import Callable

import pytest

from .operator_fixtures import CHILDREN, World
from .operator_process import OperatorProcess, policy, until

EDITS = {
    "deployment": {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}},
    "poddisruptionbudget": {"spec": {"maxUnavailable": 7}},
    "networkpolicy": {"spec": {"ingress": [{}]}},
    "serviceaccount": {"automountServiceAccountToken": True},
}


@pytest.fixture
def emails(world: World, operator: OperatorProcess) -> World:
    world.apply(policy("emails"))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    until(lambda: operator.settled and world.get("deployment/emails-worker"), "the operator is at rest")
    return world


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_deleted_child_is_back_within_5_seconds(emails: World, operator: OperatorProcess, kind: str) -> None:
    before = emails.get(f"{kind}/emails-worker")
    assert before
    emails.kubectl("delete", f"{kind}/emails-worker", "--wait=false")

    def is_back() -> bool:
        found = emails.get(f"{kind}/emails-worker")
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    until(is_back, f"the {kind} is back", 5)


@pytest.mark.parametrize("kind", CHILDREN)
def test_an_edited_child_is_put_right_within_5_seconds(emails: World, operator: OperatorProcess, kind: str) -> None:
    def declared() -> object:
        found = emails.get(f"{kind}/emails-worker")
        return found and (found.get("spec"), found.get("automountServiceAccountToken"))

    before, repairs = declared(), repaired(operator)
    answer = emails.kubectl("patch", f"{kind}/emails-worker", "--type=merge", "-p", json.dumps(EDITS[kind]))
    assert "no change" not in answer
    until(lambda: repaired(operator) == repairs + 1, "the repair is counted", 5)
    assert declared() == before


def repaired(operator: OperatorProcess) -> float:
    kinds = ("Deployment", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount")
    return sum(operator.metric(f'headgate_drift_corrected_total{{kind="{kind}"}}') or 0 for kind in kinds)


def test_labels_that_are_taken_off_come_back_and_those_of_others_stay(emails: World) -> None:
    emails.kubectl("label", "deployment/emails-worker", "app.kubernetes.io/instance-", "theirs=1")

    def labels() -> dict[str, str]:
        return (emails.get("deployment/emails-worker") or {})["metadata"]["labels"]

    until(lambda: labels().get("app.kubernetes.io/instance") == "emails", "our label is back", 5)
    assert labels()["theirs"] == "1"


def test_scale_works_through_the_subresource(emails: World) -> None:
    emails.kubectl("scale", "queuepolicy/emails", "--replicas=3")
    until(lambda: emails.get("deployment/emails-worker")["spec"]["replicas"] == 3, "three workers", 5)
    path = f"/apis/headgate.dev/v1alpha1/namespaces/{emails.namespace}/queuepolicies/emails/scale"

    def scale() -> dict[str, object]:
        return emails.control_plane.request("GET", path)

    until(lambda: scale()["status"]["replicas"] == 3, "the scale says what is there")
    assert scale()["spec"]["replicas"] == 3
    assert "headgate.dev/queue-policy=emails" in scale()["status"]["selector"]
    until(
        lambda: len(emails.kubectl("get", "pods", "-l", scale()["status"]["selector"], "-o", "name").split()) == 3,
        "pods",
    )


def test_what_is_no_longer_wanted_is_pruned_and_comes_back(emails: World) -> None:
    """A template that names its own ServiceAccount needs none of ours."""
    template = {"spec": {"serviceAccountName": "own", "containers": [{"name": "worker", "image": "x:1"}]}}
    emails.patch("queuepolicy/emails", workers={"template": template})
    until(lambda: emails.get("serviceaccount/emails-worker") is None, "our account is gone", 5)
    emails.patch("queuepolicy/emails", workers={"template": None})
    until(lambda: emails.get("serviceaccount/emails-worker"), "our account is back", 5)


def test_a_foreign_deployment_that_has_our_name_is_left_alone(
    world: World, new_operator: Callable[..., OperatorProcess]
) -> None:
    """Nobody watches what is not ours: that it is gone is seen by a resync."""
    new_operator(HEADGATE_RESYNC_SECONDS="2").start()
    world.kubectl("create", "deployment", "emails-worker", "--image=theirs:1")
    world.apply(policy("emails", concurrency={"total": 3}))
    world.await_condition("queuepolicy/emails", "WorkersReady", "False", "NotOwned")
    found = world.get("deployment/emails-worker")
    assert found
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs:1"
    assert "ownerReferences" not in found["metadata"]
    assert "emails-worker" in world.message("queuepolicy/emails", "WorkersReady")
    assert world.document("emails").total == 3, "its limits hold all the same"
    world.kubectl("delete", "deployment", "emails-worker")
    until(
        lambda: world.condition("queuepolicy/emails", "WorkersReady")[1] != "NotOwned", "ours, once theirs is gone", 60
    )
