"""HTTP gates in a real store: many processes at once, lost replies, a full store, and what a call costs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from headgate.errors import StoreFull, StoreUnavailable
from headgate.gates.door import Door
from headgate.gates.http import Admit, Allowed, Denied, RequestsBeat, Settle
from headgate.gates.verbs import Owner, Published
from headgate.model.documents import BudgetDocument, HttpDocument, HttpRule
from tests.gates.proxy import Proxy

ANN, BOB = f"{1:032x}", f"{2:032x}"
QUARTER = {"limit": 100, "period_ms": 900_000}


def publish(url: str, *rules: dict[str, Any]) -> int:
    door = Door(url)
    document = HttpDocument(surface="api", rules=tuple(HttpRule(**rule) for rule in rules))
    answer = door.publish(document, Owner("ns/api", "uid", 1))
    door.publish(BudgetDocument(name="ns/db", total=5), Owner("ns/db", "uid", 1))
    door.close()
    assert isinstance(answer, Published)
    return answer.revision


def ask(door: Door, revision: int, n: object, who: str = ANN, rules: int = 1) -> Any:
    return door.admit(Admit("api", revision, "api", f"api:{n}", [(i, who) for i in range(rules)]))


@pytest.fixture
def door(store_url: str) -> Iterator[Door]:
    opened = Door(store_url)
    yield opened
    opened.close()


# ---- many at once ----


def rush(url: str, revision: int, name: int, n: int, start: Any, answers: Any) -> None:
    """One API process: `n` requests of each of two addresses."""
    door = Door(url, timeout=10)
    start.wait()
    allowed = {ANN: 0, BOB: 0}
    for i in range(n):
        for who in allowed:
            allowed[who] += isinstance(ask(door, revision, f"{name}-{i}", who, rules=2), Allowed)
    answers.put(allowed)


def test_four_processes_admit_exactly_the_limit_of_each_address(store_url: str) -> None:
    revision = publish(store_url, {"name": "general", "rate": QUARTER}, {"name": "auth", "rate": QUARTER, "cost": 1})
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(4), spawn.Queue()
    processes = [spawn.Process(target=rush, args=(store_url, revision, i, 100, start, answers)) for i in range(4)]
    for process in processes:
        process.start()
    allowed = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=30)
    assert [sum(one[who] for one in allowed) for who in (ANN, BOB)] == [100, 100]
    door = Door(store_url)
    counts = door.inspect_http()["api"].rules
    door.close()
    assert (counts["general"].allowed, counts["general"].denied) == (200, 600)
    assert (counts["auth"].allowed, counts["auth"].denied) == (200, 0)


# ---- faults ----


def test_a_lost_reply_is_never_asked_again(store_url: str) -> None:
    revision = publish(store_url, {"name": "general", "rate": QUARTER})
    proxy = Proxy(store_url)
    door = Door(proxy.url)
    assert ask(door, revision, 1).states[0].remaining == 99
    for harm, left in (("reply lost", 97), ("request lost", 96)):
        proxy.harms[proxy.calls] = harm  # type: ignore[assignment]
        calls = proxy.calls
        with pytest.raises(StoreUnavailable):
            ask(door, revision, harm)
        assert proxy.calls == calls + 1
        assert ask(door, revision, f"after {harm}").states[0].remaining == left
    door.close()
    proxy.close()


def test_settling_is_sent_again_and_counts_once(store_url: str) -> None:
    revision = publish(store_url, {"name": "auth", "rate": QUARTER, "count": "Failures", "in_flight": 9})
    proxy = Proxy(store_url)
    door = Door(proxy.url)
    answer = ask(door, revision, 1)
    assert door.settle([]) == 0
    proxy.harms[proxy.calls] = "reply lost"
    assert door.settle([Settle("api", "api:1", answer.places, answer.stamp, False)]) == 0
    assert ask(door, revision, 2).states[0].remaining == 99, "the first sending gave all back"
    door.close()
    proxy.close()


def test_scripts_that_were_flushed_are_loaded_again(door: Door, store_url: str) -> None:
    revision = publish(store_url, {"name": "general", "rate": QUARTER})
    with redis.Redis.from_url(store_url) as client:
        for left in (99, 98, 97):
            client.script_flush()
            assert ask(door, revision, left).states[0].remaining == left


def test_above_maxmemory_nothing_is_admitted_and_what_runs_is_settled(door: Door, store_url: str) -> None:
    budgets = [{"name": "ns/db"}]
    auth = {"name": "auth", "rate": QUARTER, "count": "Failures", "in_flight": 9, "budgets": budgets}
    revision = publish(store_url, auth)
    answer = ask(door, revision, 1)
    with redis.Redis.from_url(store_url) as client:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreFull):
                ask(door, revision, 2)
            beat = RequestsBeat("api", "pod", {"api": revision}, answer.places)
            assert door.renew_requests(beat).revisions == {"api": revision}
            assert door.inspect_http()["api"].rules["auth"].in_flight == 1
            assert door.settle([Settle("api", "api:1", answer.places, answer.stamp, False)]) == 3
        finally:
            client.config_set("maxmemory", 0)
    assert ask(door, revision, 3).states[0].remaining == 99


# ---- cost ----


def commands(client: redis.Redis, act: Any) -> tuple[Any, int]:
    """What `act()` answered, and how many commands its script ran."""
    client.config_resetstat()
    answer = act()
    stats = client.info("commandstats")
    others = ("evalsha", "info", "config|resetstat", "script|load", "hello", "client|setinfo")
    return answer, sum(value["calls"] for name, value in stats.items() if name.removeprefix("cmdstat_") not in others)


def test_commands_of_an_admission_however_many_rules(door: Door, store_url: str) -> None:
    """Every redis.call costs about as much as the command itself: a new one is a decision."""
    rules = [{"name": name, "rate": {**QUARTER, "limit": 3}} for name in ("general", "admin", "creation")]
    revision = publish(store_url, *rules)
    ask(door, revision, 0, rules=3)
    with redis.Redis.from_url(store_url) as client:
        answer, one = commands(client, lambda: ask(door, revision, 1, rules=1))
        assert isinstance(answer, Allowed)
        answer, three = commands(client, lambda: ask(door, revision, 2, BOB, rules=3))
        assert isinstance(answer, Allowed)
        ask(door, revision, 3)
        answer, denied = commands(client, lambda: ask(door, revision, 4, rules=3))
        assert isinstance(answer, Denied)
    assert {"one rule": one, "three rules": three, "denied": denied} == {"one rule": 6, "three rules": 8, "denied": 7}


def test_a_global_ring_of_the_highest_limit_is_exact(door: Door, store_url: str) -> None:
    limit = {"limit": 10_000, "period_ms": 900_000}
    revision = publish(store_url, {"name": "all", "rate": limit, "key": "Global", "cost": 1_000})
    answers = [ask(door, revision, i, "-") for i in range(11)]
    assert [answer.states[0].remaining for answer in answers] == [*range(9_000, -1, -1_000), 0]
    assert isinstance(answers[10], Denied)
