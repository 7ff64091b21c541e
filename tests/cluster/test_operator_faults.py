"""The real API server through a proxy that lies: histories that are too old, refusals, and a busy server."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from .api_proxy import ApiProxy, Request
from .operator_fixtures import World
from .operator_process import OperatorProcess, policy, until

Make = Callable[..., OperatorProcess]


def status(code: int, reason: str, message: str) -> bytes:
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}
    ).encode()


GONE = json.dumps({"type": "ERROR", "object": json.loads(status(410, "Expired", "too old resource version"))}).encode()


def test_what_was_deleted_while_a_watch_was_gone_is_found_by_the_resync(
    world: World, new_operator: Make, proxy: ApiProxy, through_proxy: Path
) -> None:
    """kopf lists again after 410 without telling what is missing: the document must go all the same."""
    operator = new_operator(kubeconfig=through_proxy, HEADGATE_RESYNC_SECONDS="2")
    deaf = False
    turned_away: list[Request] = []

    def answer(request: Request) -> tuple[int, bytes] | None:
        if not request.path.endswith("/queuepolicies"):
            return None
        if request.query.get("watch"):
            if deaf:
                turned_away.append(request)
            return (200, GONE + b"\n") if deaf else None
        # While deaf, kopf's own lists (which come in chunks of 250) fail; the resync's (500) pass.
        return (503, status(503, "ServiceUnavailable", "planted")) if deaf and request.query["limit"] == "250" else None

    proxy.answer = answer
    operator.start()
    until(lambda: operator.settled, "the operator leads")
    world.apply(policy("emails"), policy("stays"))
    until(lambda: len(world.store().owners) == 2, "two documents")
    deaf = True
    proxy.drop_streams()
    until(lambda: bool(turned_away), "the watch is gone", 45)
    world.kubectl("delete", "queuepolicy/emails")
    until(lambda: set(world.store().owners) == {"queue/stays"}, "the resync found out", 45)
    deaf = False
    world.apply(policy("comes"))
    until(lambda: "queue/comes" in world.store().owners, "events are heard again", 60)


def test_a_busy_api_server_is_given_the_time_it_asks_for(
    world: World, new_operator: Make, proxy: ApiProxy, through_proxy: Path
) -> None:
    operator = new_operator(kubeconfig=through_proxy).start()
    until(lambda: operator.settled, "the operator leads")
    refused: list[float] = []

    def answer(request: Request) -> tuple[int, bytes] | None:
        if request.writes and "/deployments" in request.path and len(refused) < 3:
            refused.append(time.monotonic())
            return 429, status(429, "TooManyRequests", "planted")
        return None

    proxy.answer = answer
    proxy.retry_after = "1"
    world.apply(policy("emails"))
    until(lambda: world.get("deployment/emails-worker"), "the Deployment, once the server has time")
    assert len(refused) == 3
    assert refused[2] - refused[0] >= 2


def test_a_right_that_was_taken_away_is_one_sentence_in_the_condition(
    world: World, new_operator: Make, proxy: ApiProxy, through_proxy: Path
) -> None:
    operator = new_operator(kubeconfig=through_proxy).start()
    until(lambda: operator.settled, "the operator leads")

    def answer(request: Request) -> tuple[int, bytes] | None:
        if request.method == "PATCH" and "/deployments" in request.path and not request.query.get("dryRun"):
            return 403, status(
                403, "Forbidden", "exceeded quota: pods, requested: pods=1, used: pods=0, limited: pods=0"
            )
        return None

    proxy.answer = answer
    world.apply(policy("emails"))
    until(lambda: "exceeded quota" in world.message("queuepolicy/emails", "Accepted"), "the server's own words")
    proxy.answer = None
    world.patch("queuepolicy/emails", concurrency={"total": 3})
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
