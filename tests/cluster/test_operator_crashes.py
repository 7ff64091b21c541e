"""Killed after any of its writes, or away while the world changes, the operator ends in the same state."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .api_proxy import ApiProxy, Request
from .operator_fixtures import CHILDREN, LEASE, World
from .operator_process import OperatorProcess, budget, policy, until

Make = Callable[..., OperatorProcess]
OWN_ACCOUNT = {"spec": {"serviceAccountName": "own", "containers": [{"name": "worker", "image": "x:1"}]}}
CREATED = (
    budget("mail", concurrency={"total": 4}),
    policy("emails", concurrency={"total": 10}, budgetRefs=[{"name": "mail"}], workers={"replicas": 0}),
)
CHANGED = (
    budget("mail", concurrency={"total": 2}),
    policy("emails", concurrency={"total": 3}, workers={"replicas": 0, "template": OWN_ACCOUNT}),
)


@pytest.mark.slow
@pytest.mark.timeout(540)
def test_killed_after_each_of_its_writes_in_turn_it_ends_in_the_same_state(
    world: World, new_operator: Make, proxy: ApiProxy, through_proxy: Path
) -> None:
    """Creation, then a change that also prunes. The kill comes after the API server stored it, before the answer."""
    operator = new_operator(kubeconfig=through_proxy)
    expected = [play(world, operator, phase) for phase in (CREATED, CHANGED)]
    assert len(expected[0]["children"]) == 4
    assert len(expected[1]["children"]) == 3, "the change prunes the ServiceAccount"
    assert expected[1]["documents"]["emails"]["total"] == 3
    forget_everything(world, operator)

    killed_at: list[tuple[str, str]] = []
    for number in range(1, 100):
        kills = Killer(operator, number)
        proxy.count_writes_from_here()
        proxy.on_write = kills
        seen = [play(world, operator, phase) for phase in (CREATED, CHANGED)]
        assert seen == expected, f"killed after write {number}: {kills.at}"
        forget_everything(world, operator)
        if kills.at is None:
            break
        killed_at.append(kills.at)
    resources = {path.split("/namespaces/")[1].split("/", 1)[1].split("/")[0] for _, path in killed_at}
    assert resources >= {"deployments", "serviceaccounts", "queuepolicies", "budgets", "poddisruptionbudgets"}
    assert {method for method, _ in killed_at} >= {"PATCH", "PUT", "DELETE"}
    print(f"killed {len(killed_at)} times")


class Killer:
    """Kills the operator when its n-th write is done. `at`: which one that was."""

    def __init__(self, operator: OperatorProcess, number: int) -> None:
        self._operator, self._number = operator, number
        self.at: tuple[str, str] | None = None

    def __call__(self, request: Request, number: int) -> None:
        if number == self._number:
            self.at = (request.method, request.path)
            self._operator.signal(9)


def play(world: World, operator: OperatorProcess, manifests: tuple[str, ...]) -> dict[str, Any]:
    """Apply and let the operator come to rest, started anew when it is killed. What is there then."""
    world.apply(*manifests)
    wanted = {each["metadata"]["name"]: each for each in map(json.loads, manifests)}
    total = wanted["emails"]["spec"]["concurrency"]["total"]

    def at_rest() -> bool:
        if not operator.running:
            free_the_lease(world)
            operator.start()
        document = world.document("emails")
        conditions = [("queuepolicy/emails", "Ready", "InForce"), ("budget/mail", "Ready", "InForce")]
        return bool(
            operator.settled
            and document
            and document.total == total
            and all(world.condition(name, type_) == ("True", reason) for name, type_, reason in conditions)
            and world.status("emails").get("limits", [{}])[0].get("value")
        )

    until(at_rest, "the operator is at rest", 60)
    until(lambda: steady(world), "the picture stands still", 60)
    return world.picture()


def steady(world: World) -> bool:
    before = world.picture()
    return until(lambda: world.picture(), "") == before and pruned(before)


def pruned(picture: dict[str, Any]) -> bool:
    """The last step of a change: until then a picture may stand still by chance."""
    pod = picture["children"]["deployment/emails-worker"]["spec"]["template"]["spec"]
    return pod["serviceAccountName"] != "own" or "serviceaccount/emails-worker" not in picture["children"]


def forget_everything(world: World, operator: OperatorProcess) -> None:
    world.kubectl("delete", "queuepolicy,budget", "--all")
    if not operator.running:
        free_the_lease(world)
        operator.start()
    until(lambda: not world.store().owners, "nothing is published any more", 30)
    for kind in CHILDREN:
        until(lambda kind=kind: world.get(f"{kind}/emails-worker") is None, f"no {kind}", 30)
    operator.kill()
    free_the_lease(world)


def free_the_lease(world: World) -> None:
    """Waiting for its end is what other tests are about."""
    world.control_plane.kubectl(
        "delete", "lease", "-n", "headgate-system", LEASE.rsplit("/", 1)[1], "--ignore-not-found"
    )


def test_a_policy_that_is_deleted_while_the_operator_is_away_goes_at_once_and_is_unpublished_on_its_return(
    world: World, operator: OperatorProcess, new_operator: Make
) -> None:
    world.apply(
        budget("mail", concurrency={"total": 4}), policy("emails", budgetRefs=[{"name": "mail"}]), policy("stays")
    )
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    world.await_condition("queuepolicy/stays", "Accepted", "True", "Valid")
    until(lambda: len(world.store().owners) == 3, "three documents")
    operator.kill()
    world.kubectl("delete", "queuepolicy/emails", "budget/mail", "--timeout=5s")
    until(lambda: world.get("deployment/emails-worker") is None, "garbage collection needs no operator")
    assert world.document("emails"), "nobody is there to unpublish"
    free_the_lease(world)
    new_operator("two").start()
    until(lambda: set(world.store().owners) == {"queue/stays"}, "what nobody declares is taken back")


def test_made_anew_with_other_limits_while_the_operator_is_away_the_new_ones_hold(
    world: World, operator: OperatorProcess, new_operator: Make
) -> None:
    world.apply(policy("emails", concurrency={"total": 10}))
    for number in range(5):
        world.patch("queuepolicy/emails", concurrency={"total": 11 + number})
    until(lambda: world.document("emails") and world.document("emails").total == 15, "the last limit")
    operator.kill()
    world.kubectl("delete", "queuepolicy/emails")
    world.apply(policy("emails", concurrency={"total": 3}))
    free_the_lease(world)
    new_operator("two").start()
    until(lambda: world.document("emails").total == 3, "the limit of the new one")
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances")


def test_documents_of_another_cluster_in_the_same_store_are_left_alone(
    world: World, operator: OperatorProcess, new_operator: Make
) -> None:
    world.apply(policy("emails"))
    until(lambda: world.document("emails"), "published")
    operator.kill()
    world.kubectl("delete", "queuepolicy/emails")
    free_the_lease(world)
    other = new_operator("other", HEADGATE_CLUSTER_ID="another-cluster").start()
    until(lambda: other.settled, "the other cluster's operator has seen everything")
    assert set(world.store().owners) == {"queue/emails"}
    world.apply(policy("emails", concurrency={"total": 7}))
    world.await_condition("queuepolicy/emails", "Accepted", "False", "QueueConflict")
    assert world.namespace in world.message("queuepolicy/emails", "Accepted")
