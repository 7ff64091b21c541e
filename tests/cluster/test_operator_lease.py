"""Two replicas: one acts, the other takes over, and nobody acts without the Lease."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .api_proxy import ApiProxy
from .operator_fixtures import LEASE, World
from .operator_process import USER, OperatorProcess, policy, until

Make = Callable[..., OperatorProcess]


def pair(new_operator: Make) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader and a follower that is ready to take over."""
    leader = new_operator("a").start()
    until(lambda: leader.settled, "the first one leads")
    follower = new_operator("b").start()
    until(lambda: follower.ready, "the second one is ready")
    return leader, follower


def holder(world: World) -> str:
    spec: dict[str, Any] = world.control_plane.request("GET", LEASE)["spec"]
    return str(spec.get("holderIdentity") or "")


def test_one_acts_and_when_it_is_killed_the_other_does_within_15_seconds(world: World, new_operator: Make) -> None:
    leader, follower = pair(new_operator)
    world.apply(policy("emails", concurrency={"total": 3}))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    assert (follower.metric("headgate_leader"), follower.metric("headgate_workqueue_depth")) == (0, None)
    leader.kill()
    killed = time.monotonic()
    world.patch("queuepolicy/emails", concurrency={"total": 2})
    until(lambda: world.document("emails").total == 2, "the other one acts", 20)
    assert time.monotonic() - killed <= 15
    assert holder(world).startswith("b_")
    assert follower.leads


def test_the_follower_watches_and_writes_nothing(
    world: World, new_operator: Make, proxy: ApiProxy, through_proxy: Path
) -> None:
    leader = new_operator("a").start()
    until(lambda: leader.settled, "the first one leads")
    follower = new_operator("b", kubeconfig=through_proxy).start()
    until(lambda: follower.ready, "the second one is ready")
    world.apply(policy("emails"))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    assert {(request.method, request.path) for request in proxy.requests} == {("GET", LEASE)}


def test_one_that_is_stopped_ends_with_0_and_hands_over_at_once(world: World, new_operator: Make) -> None:
    leader, follower = pair(new_operator)
    stopped = time.monotonic()
    leader.signal(signal.SIGTERM)
    assert leader.ended() == 0
    until(lambda: follower.leads, "the other one leads", 8)
    assert time.monotonic() - stopped < 9, "sooner than the Lease would have lapsed"
    follower.signal(signal.SIGTERM)
    assert follower.ended() == 0
    assert holder(world) == ""


def test_a_follower_that_is_stopped_ends_with_0_and_leaves_the_lease_alone(world: World, new_operator: Make) -> None:
    leader, follower = pair(new_operator)
    follower.signal(signal.SIGTERM)
    assert follower.ended() == 0
    assert holder(world).startswith("a_")
    assert leader.leads


def test_a_frozen_leader_that_wakes_up_writes_nothing_more_and_ends_with_1(world: World, new_operator: Make) -> None:
    leader, follower = pair(new_operator)
    leader.signal(signal.SIGSTOP)
    until(lambda: follower.leads, "the other one leads", 20)
    world.apply(policy("emails"))
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    until(lambda: follower.settled, "the other one is at rest")
    since = time.time()
    leader.signal(signal.SIGCONT)
    assert leader.ended() == 1
    assert "Lost the Lease" in leader.log
    written = world.control_plane.writes(since=since, user=USER, namespace=world.namespace)
    assert written == []
    assert holder(world).startswith("b_")


def test_while_the_api_server_is_away_the_leader_leaves_and_afterwards_everything_goes_on(
    world: World, new_operator: Make
) -> None:
    operator = new_operator("a").start()
    world.apply(policy("emails", concurrency={"total": 3}))
    until(lambda: world.document("emails"), "published")
    with world.control_plane.apiserver_away():
        assert operator.ended(20) == 1, "its Lease cannot be renewed"
        again = new_operator("again").start()
        until(lambda: again.get("/healthz")[0] == 200, "a follower waits for the API server")
        assert world.document("emails").total == 3, "what is declared stays in force"
    world.patch("queuepolicy/emails", concurrency={"total": 2})
    until(lambda: world.document("emails").total == 2, "the change that came meanwhile", 40)
