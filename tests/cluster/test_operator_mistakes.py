"""Bad input: one clear sentence in a condition (or from the API server), and the last good limits stay in force."""

import json
import time

import pytest

from .control_plane import ControlPlane, ControlPlaneError
from .operator_fixtures import DEPLOY, World
from .operator_process import OperatorProcess, budget, policy, until


def image(**worker: object) -> dict[str, object]:
    return {"spec": {"containers": [{"name": "worker", "image": "x:1", **worker}]}}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"concurrency": {"total": 2, "perKey": 3}}, "perKey cannot exceed total"),
        ({"concurrency": {"total": "ten"}}, "spec.concurrency.total"),
        ({"concurency": {"total": 2}}, 'unknown field "spec.concurency"'),
        ({"jobs": {"functions": ["a.b"]}}, "functions protects nothing while payload is Any"),
        ({"override": {"reason": "because", "expireTime": "2099-01-01T00:00:00Z"}}, "an override changes stopPolicy"),
    ],
)
def test_the_api_server_refuses_it_in_words_and_the_old_limits_stay(
    world: World, operator: OperatorProcess, spec: dict[str, object], sentence: str
) -> None:
    world.apply(policy("emails", concurrency={"total": 9}))
    until(lambda: world.document("emails"), "published")
    with pytest.raises(ControlPlaneError, match=sentence):
        world.kubectl("apply", "--validate=strict", "-f", "-", stdin=policy("emails", **spec))
    assert world.document("emails").total == 9


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"budgetRefs": [{"name": "nowhere"}]}, "BudgetNotFound", ("spec.budgetRefs[0].name", "nowhere", "create it")),
        (
            {"workers": {"template": image(securityContext={"privileged": True})}},
            "TemplateForbidden",
            ("spec.workers.template.spec.containers[worker].securityContext.privileged", "remove it"),
        ),
        (
            {"workers": {"template": image(command=["sh"])}},
            "TemplateForbidden",
            ("spec.workers.template.spec.containers[worker].command", "remove it"),
        ),
        (
            {"workers": {"template": image(resources={"limits": {"memory": "much"}})}},
            "TemplateInvalid",
            ("spec.workers.template.spec.containers[0].resources.limits.memory", "much"),
        ),
        ({"workers": {"template": image(colour="blue")}}, "TemplateInvalid", ("colour",)),
        ({"workers": {"template": {"spec": {"tolerations": "all"}}}}, "TemplateInvalid", ("tolerations",)),
    ],
)
def test_what_only_the_operator_can_see_becomes_a_condition_and_the_old_limits_stay(
    world: World, operator: OperatorProcess, spec: dict[str, object], reason: str, words: tuple[str, ...]
) -> None:
    world.apply(policy("emails", concurrency={"total": 9}))
    until(lambda: world.get("deployment/emails-worker"), "a Deployment")
    before = world.get("deployment/emails-worker")
    world.apply(policy("emails", concurrency={"total": 5}, **spec))
    world.await_condition("queuepolicy/emails", "Accepted", "False", reason)
    message = world.message("queuepolicy/emails", "Accepted")
    for word in words:
        assert word in message
    assert world.condition("queuepolicy/emails", "Ready") == ("False", reason)
    assert world.document("emails").total == 9
    after = world.get("deployment/emails-worker")
    assert before
    assert after
    assert before["spec"] == after["spec"]
    world.apply(policy("emails", concurrency={"total": 5}))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    until(lambda: world.document("emails").total == 5, "corrected, the new limit holds")


def test_an_unknown_store_is_named_beside_those_that_are_known(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("emails", store="mars"), policy("other", store="elsewhere"))
    for name, store in (("emails", "mars"), ("other", "elsewhere")):
        world.await_condition(f"queuepolicy/{name}", "Accepted", "False", "StoreUnknown")
        message = world.message(f"queuepolicy/{name}", "Accepted")
        assert store in message
        assert "default" in message
    assert world.get("deployment/emails-worker") is None
    assert world.store().owners == {}


def test_of_two_policies_for_one_queue_the_older_one_rules(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("first", queue="emails", concurrency={"total": 9}))
    world.await_condition("queuepolicy/first", "Accepted", "True", "Valid")
    until(lambda: world.document("emails"), "published")
    time.sleep(1.1)  # ages are whole seconds
    world.apply(policy("second", queue="emails", concurrency={"total": 2}))
    world.await_condition("queuepolicy/second", "Accepted", "False", "QueueConflict")
    assert f"{world.namespace}/first" in world.message("queuepolicy/second", "Accepted")
    assert world.get("deployment/second-worker") is None
    assert world.document("emails").total == 9
    world.kubectl("delete", "queuepolicy/first")
    world.await_condition("queuepolicy/second", "Accepted", "True", "Valid")
    until(lambda: world.document("emails") and world.document("emails").total == 2, "the second one rules")
    until(lambda: world.get("deployment/second-worker"), "and has workers")


def test_a_budget_that_is_deleted_stays_in_force_for_its_members(world: World, operator: OperatorProcess) -> None:
    world.apply(budget("mail", concurrency={"total": 4}), policy("emails", budgetRefs=[{"name": "mail"}]))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    world.kubectl("delete", "budget/mail")
    world.await_condition("queuepolicy/emails", "Accepted", "False", "BudgetNotFound")
    assert f"budget/{world.namespace}/mail" in world.store().owners
    world.apply(policy("emails"))
    until(lambda: set(world.store().owners) == {"queue/emails"}, "nobody names it any more: it goes", 60)


def test_without_the_admission_policy_a_template_takes_only_resources_and_scheduling(
    world: World, installed: ControlPlane, new_operator: object
) -> None:
    installed.kubectl("delete", "-f", str(DEPLOY / "admission"))
    try:
        operator = new_operator().start()  # type: ignore[operator]
        until(lambda: operator.settled, "it leads")
        resources = {"limits": {"memory": "64Mi"}}
        safe = {"spec": {"containers": [{"name": "worker", "resources": resources}], "nodeSelector": {"a": "b"}}}
        world.apply(policy("safe", workers={"template": safe}), policy("bold", workers={"template": image()}))
        world.await_condition("queuepolicy/safe", "Accepted", "True", "Valid")
        world.await_condition("queuepolicy/bold", "Accepted", "False", "TemplateForbidden")
        assert "containers[worker].image" in world.message("queuepolicy/bold", "Accepted")
        deployment = until(lambda: world.get("deployment/safe-worker"), "the safe one has workers")
        assert deployment["spec"]["template"]["spec"]["containers"][0]["resources"] == resources
        assert "Worker templates take only" in operator.log
    finally:
        installed.kubectl("apply", "-f", str(DEPLOY / "admission"))


def test_the_admission_policy_asks_the_requester_for_the_right_to_create_deployments(world: World) -> None:
    rules = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "author"},
        "rules": [{"apiGroups": ["headgate.dev"], "resources": ["queuepolicies"], "verbs": ["*"]}],
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(rules))
    world.kubectl("create", "serviceaccount", "author")
    world.kubectl("create", "rolebinding", "author", "--role=author", f"--serviceaccount={world.namespace}:author")
    author = world.control_plane.kubeconfig_for_service_account(world.namespace, "author")

    def apply(manifest: str) -> str:
        return world.control_plane.kubectl("apply", "-f", "-", stdin=manifest, kubeconfig=author)

    def refused() -> bool:  # the API server takes a moment to see a new policy
        try:
            apply(policy("bold", workers={"template": image()}))
        except ControlPlaneError as error:
            return "you need permission to create Deployments in this namespace" in str(error)
        world.kubectl("delete", "queuepolicy/bold")
        return False

    until(refused, "the template is refused")
    apply(policy("modest", concurrency={"total": 3}))
    world.apply(policy("theirs", concurrency={"total": 3}, workers={"template": image()}))
    changed = json.loads(policy("theirs", concurrency={"total": 2}, workers={"template": image()}))
    apply(json.dumps(changed))
    assert world.get("queuepolicy/theirs")["spec"]["concurrency"]["total"] == 2, "limits need no such right"
