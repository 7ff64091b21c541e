"""When nothing changes nothing is written: no status, no Event, no no-op apply. Only the Lease is renewed."""

import time
from collections.abc import Callable

import pytest

from .operator_fixtures import World
from .operator_process import USER, OperatorProcess, budget, http_policy, policy, until


@pytest.mark.slow
def test_many_resyncs_write_nothing_but_the_lease(world: World, new_operator: Callable[..., OperatorProcess]) -> None:
    operator = new_operator(HEADGATE_RESYNC_SECONDS="1").start()
    world.apply(
        budget("mail", concurrency={"total": 4}),
        policy("campaigns", budgetRefs=[{"name": "mail"}], concurrency={"total": 3}),
        policy("emails", workers={"replicas": 0}),
        http_policy("api", {"name": "general", "inFlight": 3, "budgetRefs": [{"name": "mail"}]}),
        policy("wrong", budgetRefs=[{"name": "nowhere"}]),
    )
    world.await_condition("queuepolicy/campaigns", "Accepted", "True", "Valid")
    world.await_condition("queuepolicy/emails", "Ready", "True", "InForce")
    world.await_condition("httppolicy/api", "Ready", "True", "InForce")
    world.await_condition("queuepolicy/wrong", "Accepted", "False", "BudgetNotFound")
    until(lambda: quiet(world, operator), "the writes of the beginning are over", 90)
    since, before = time.time(), reconciles(operator)
    until(lambda: reconciles(operator) - before >= 30, "every key was reconciled several times more", 90)
    written = world.control_plane.writes(since=since, user=USER)
    assert {write.resource for write in written} == {"leases"}, written


def reconciles(operator: OperatorProcess) -> float:
    kinds = ("QueuePolicy", "HTTPPolicy", "Budget")
    lines = (f'headgate_reconcile_total{{kind="{kind}",result="ok"}}' for kind in kinds)
    return sum(operator.metric(line) or 0 for line in lines)


def quiet(world: World, operator: OperatorProcess) -> bool:
    """Counters may be written up to 15 s after they moved: then nothing more comes."""
    recent = world.control_plane.writes(since=time.time() - 16, user=USER, namespace=world.namespace)
    return operator.settled and not recent
