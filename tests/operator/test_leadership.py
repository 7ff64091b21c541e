"""The Lease: one leader at any time, a quick change when it stops or dies, and it knows when it has lost."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from headgate_operator.cluster import ApiServer
from headgate_operator.leadership import LEASE, Leadership, LeaseLost, Timing

from .fake_api import FakeApi, Fault, Request
from .polling import until

QUICK = Timing(duration=1.0, renew=0.2, deadline=0.6, retry=0.1)
Candidate = Callable[[str], Leadership]


@pytest.fixture
def candidate(api: ApiServer) -> Candidate:
    def make(identity: str) -> Leadership:
        return Leadership(api, namespace="ns", name="operator", identity=identity, timing=QUICK)

    return make


def lease(fake_api: FakeApi) -> dict[str, Any]:
    return fake_api.objects["leases", "ns", "operator"]


def writes(request: Request) -> bool:
    return request.method in ("PUT", "POST")


async def test_the_first_one_leads_and_says_who_it_is(candidate: Candidate, fake_api: FakeApi) -> None:
    a = candidate("a")
    assert not a.leading
    await a.acquire()
    assert a.leading
    spec = lease(fake_api)["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 1, 0)
    assert datetime.fromisoformat(spec["renewTime"]).tzinfo is not None


async def test_a_second_one_waits_while_the_first_renews(candidate: Candidate, fake_api: FakeApi) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    holding, waiting = asyncio.create_task(a.hold()), asyncio.create_task(b.acquire())
    await asyncio.sleep(2.5)
    assert not waiting.done()
    assert a.leading
    assert not b.leading
    assert lease(fake_api)["spec"]["holderIdentity"] == "a"
    holding.cancel()
    waiting.cancel()


async def test_a_dead_leader_is_followed_after_its_promise_ends_and_not_before(
    candidate: Candidate, fake_api: FakeApi
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    waiting = asyncio.create_task(b.acquire())
    await asyncio.sleep(QUICK.deadline + 0.1)
    assert not a.leading, "the old leader stops before the next one may start"
    assert not b.leading
    await asyncio.wait_for(waiting, 5)
    assert b.leading
    assert lease(fake_api)["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_releases_is_followed_at_once(candidate: Candidate, fake_api: FakeApi) -> None:
    slow = Timing(duration=60, renew=10, deadline=30, retry=0.1)
    a, b = candidate("a"), candidate("b")
    a._timing = b._timing = slow
    await a.acquire()
    waiting = asyncio.create_task(b.acquire())
    await asyncio.sleep(0.3)
    await a.release()
    assert not a.leading
    await asyncio.wait_for(waiting, 5)
    assert lease(fake_api)["spec"]["holderIdentity"] == "b"


async def test_of_many_that_ask_at_once_one_gets_it(candidate: Candidate) -> None:
    everybody = [candidate(f"c{number}") for number in range(8)]
    tasks = [asyncio.create_task(each.acquire()) for each in everybody]
    await until(lambda: any(each.leading for each in everybody))
    await asyncio.sleep(0.3)
    assert sum(each.leading for each in everybody) == 1
    for task in tasks:
        task.cancel()


async def test_the_leader_gives_up_when_it_cannot_renew(candidate: Candidate, fake_api: FakeApi) -> None:
    a = candidate("a")
    await a.acquire()
    fake_api.faults.append(Fault(writes, 503, times=1000))
    with pytest.raises(LeaseLost, match=r"not renewed within 0\.6 s"):
        await asyncio.wait_for(a.hold(), 5)
    assert not a.leading


async def test_the_leader_gives_up_when_another_one_took_it(candidate: Candidate, fake_api: FakeApi) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    taken = {**lease(fake_api)["spec"], "holderIdentity": "thief"}
    await fake_api.put(LEASE, "ns", "operator", spec=taken)
    with pytest.raises(LeaseLost, match="thief holds the Lease now"):
        await asyncio.wait_for(a.hold(), 5)
    assert not a.leading
    assert not b.leading


async def test_a_renewal_whose_answer_was_lost_is_no_loss(candidate: Candidate, fake_api: FakeApi) -> None:
    a = candidate("a")
    await a.acquire()
    fake_api.faults.append(Fault(writes, 504, after=True))
    holding = asyncio.create_task(a.hold())
    await asyncio.sleep(1.5)
    assert not holding.done()
    assert a.leading
    holding.cancel()


async def test_a_deleted_lease_is_made_again(candidate: Candidate, fake_api: FakeApi) -> None:
    a = candidate("a")
    await a.acquire()
    await fake_api.remove(LEASE, "ns", "operator")
    holding = asyncio.create_task(a.hold())
    await until(lambda: ("leases", "ns", "operator") in fake_api.objects)
    assert lease(fake_api)["spec"]["holderIdentity"] == "a"
    assert not holding.done()
    holding.cancel()


async def test_acquire_survives_an_api_server_that_is_away(candidate: Candidate, fake_api: FakeApi) -> None:
    fake_api.faults.append(Fault(lambda _: True, 500, times=5))
    await asyncio.wait_for(candidate("a").acquire(), 5)


async def test_an_expired_lease_of_somebody_else_is_not_taken_on_its_word_alone(
    candidate: Candidate, fake_api: FakeApi
) -> None:
    """Clocks differ: what counts is how long we ourselves have seen no renewal."""
    spec = {"holderIdentity": "old", "leaseDurationSeconds": 1, "renewTime": "2001-01-01T00:00:00.000000Z"}
    await fake_api.put(LEASE, "ns", "operator", spec=spec)
    b = candidate("b")
    waiting = asyncio.create_task(b.acquire())
    await asyncio.sleep(0.7)
    assert not b.leading
    await asyncio.wait_for(waiting, 5)
    assert b.leading
