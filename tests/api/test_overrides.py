"""Overrides through the API."""

import pytest

from headgate.gates.door import Door
from headgate.gates.verbs import Claim, Enqueue, Grant, Held, Wait

pytestmark = pytest.mark.store


def claim(door: Door, slot: str):
    door.enqueue(Enqueue("emails", f"job-{slot}", {"origin": b"emails", "data": b"x"}))
    return door.claim(Claim("emails", slot, "pod-1", f"nonce-{slot}", f"execution-{slot}"))


async def test_in_force_for_the_next_start_and_gone_when_cleared(api, emails, door):
    body = {"stop_policy": "Hold", "seconds": 600, "reason": "provider is down"}
    answer = await api.send("PUT", "operator", "/v1/queues/emails/override", json=body)
    assert (answer.status_code, answer.json()["by"]) == (200, "operator")
    assert claim(door, "a") == Held()
    listed = (await api.get("reader", "/v1/overrides")).json()
    assert [(one["queue"], one["reason"]) for one in listed["overrides"]] == [("emails", "provider is down")]
    assert listed["overrides"][0]["expires"] - listed["overrides"][0]["since"] == 600_000
    queue = (await api.get("reader", "/v1/queues/emails")).json()
    assert queue["override"]["stop_policy"] == "Hold"
    assert (await api.send("DELETE", "operator", "/v1/queues/emails/override")).status_code == 204
    assert (await api.send("DELETE", "operator", "/v1/queues/emails/override")).status_code == 404
    assert isinstance(claim(door, "b"), Grant)


async def test_it_ends_by_itself(api, emails, door):
    body = {"total": 1, "seconds": 1, "reason": "short"}
    assert (await api.send("PUT", "operator", "/v1/queues/emails/override", json=body)).status_code == 200
    assert isinstance(claim(door, "a"), Grant)
    assert isinstance(claim(door, "b"), Wait)
    end = door.now + 1100
    while door.now < end:
        door.inspect()
    assert isinstance(claim(door, "c"), Grant)
    assert (await api.get("reader", "/v1/overrides")).json()["overrides"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"seconds": 60, "reason": "changes nothing"},
        {"seconds": 0, "reason": "x", "total": 1},
        {"seconds": 60, "reason": "", "total": 1},
        {"seconds": 60, "reason": "x", "total": 0},
        {"seconds": 60, "reason": "x", "stop_policy": "Sometimes"},
        {"seconds": 60, "reason": "x", "total": 1, "more": 1},
        {"seconds": 60, "reason": "x", "rate_total": {"limit": 1}},
        {"seconds": 8 * 86_400, "reason": "x", "total": 1},
    ],
)
async def test_what_is_no_override_is_refused(api, emails, body):
    assert (await api.send("PUT", "operator", "/v1/queues/emails/override", json=body)).status_code == 422


async def test_only_operators_and_only_declared_queues(api, emails):
    body = {"total": 1, "seconds": 60, "reason": "x"}
    for token, status in ((None, 401), ("reader", 403), ("producer", 403), ("edge", 403)):
        assert (await api.send("PUT", token, "/v1/queues/emails/override", json=body)).status_code == status
        assert (await api.send("DELETE", token, "/v1/queues/emails/override")).status_code == status
    assert (await api.send("PUT", "operator", "/v1/queues/none/override", json=body)).status_code == 404
