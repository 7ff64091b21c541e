"""The middleware before a FastAPI application, with a real store: who is counted, what is said, what is not let by."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import pytest
import redis
from starlette.middleware.cors import CORSMiddleware

from headgate.model.documents import BudgetDocument, BudgetShare, HttpMatch
from headgate_api.gate import GateMiddleware
from headgate_api.gate.metrics import COUNTS
from tests.api.gate.asgi import Answer, call
from tests.api.gate.backend import app as backend
from tests.api.gate.conftest import SETTLED_SECONDS, Publisher, policy, rule, until


def statuses(answers: list[Answer]) -> dict[int, int]:
    found = [answer.status for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}


async def many(app: Any, count: int, path: str = "/items/1", method: str = "GET", **more: Any) -> list[Answer]:
    return await asyncio.gather(*(call(app, method, path, **more) for _ in range(count)))


async def test_exactly_the_limit_and_every_refusal_says_why(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 10), rule("admin", 3, path="/admin")))
    app = await gate()
    answers = await many(app, 8, "/admin/panel")
    assert statuses(answers) == {200: 3, 429: 5}
    for answer in answers:
        assert answer.header("ratelimit-policy") == '"general";q=10;w=60, "admin";q=3;w=60'
        assert re.fullmatch(r'"general";r=\d+;t=\d+, "admin";r=\d+;t=\d+', answer.header("ratelimit"))
    refused = [answer for answer in answers if answer.status == 429]
    for answer in refused:
        assert '"general";r=7;' in answer.header("ratelimit"), "a refusal moved another rule's counter"
        problem = json.loads(answer.body)
        assert problem["violated-policies"] == ["admin"]
        assert answer.header("content-type") == "application/problem+json"
        assert answer.header("cache-control") == "no-store"
        left = int(re.search(r'"admin";r=0;t=(\d+)', answer.header("ratelimit")).group(1))  # type: ignore[union-attr]
        assert left <= int(answer.header("retry-after")) <= 67
    assert statuses(await many(app, 9)) == {200: 7, 429: 2}


async def test_the_first_requests_wait_for_the_policy_where_nobody_says_that_the_application_starts(
    publish: Publisher, valkey_url: str
) -> None:
    publish(policy(rule("general", 5)))
    app = GateMiddleware(backend, store_url=valkey_url)
    try:
        assert statuses(await many(app, 40)) == {200: 5, 429: 35}
    finally:
        await app._surface.leave()


async def test_a_refusal_in_force_costs_no_round_trip(gate: Any, publish: Publisher, valkey_url: str) -> None:
    publish(policy(rule("general", 2)))
    app = await gate()
    await many(app, 4)
    with redis.Redis.from_url(valkey_url) as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert statuses(await many(app, 50)) == {429: 50}
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before <= 1  # a beat may fall into it
    assert COUNTS.decisions["api", "general", "denied", "cache"].value == 50
    assert (await call(app, path="/items/1", client=("203.0.113.2", 1))).status == 200
    for _ in range(2):  # the next beat tells the store, once
        await app._surface._renew()
        assert publish.door.inspect_http()["api"].rules["general"].denied == 52


async def test_a_raised_limit_holds_for_who_was_refused_and_the_refusals_stay_counted(
    gate: Any, publish: Publisher
) -> None:
    publish(policy(rule("general", 1), rule("gone", 9)))
    app = await gate()
    assert statuses(await many(app, 10)) == {200: 1, 429: 9}
    publish(policy(rule("general", 5)))
    assert (await call(app, path="/items/1", client=("203.0.113.2", 1))).status == 200  # the store says: read it again
    assert statuses(await many(app, 10)) == {200: 4, 429: 6}
    for _ in range(2):
        await app._surface._renew()
        assert publish.door.inspect_http()["api"].rules["general"].denied == 15


async def test_a_raised_limit_reaches_who_alone_asks_with_the_next_beat(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 1)))
    app = await gate()
    assert statuses(await many(app, 10)) == {200: 1, 429: 9}
    publish(policy(rule("general", 2)))
    await app._surface._renew()
    assert statuses(await many(app, 3)) == {200: 1, 429: 2}


async def test_one_round_trip_however_many_rules(gate: Any, publish: Publisher, valkey_url: str) -> None:
    publish(policy(*(rule(f"r{number}", 1000) for number in range(12))))
    app = await gate()
    await call(app, path="/items/1")
    with redis.Redis.from_url(valkey_url) as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        await many(app, 100)
        assert 100 <= client.info("commandstats")["cmdstat_evalsha"]["calls"] - before <= 101


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("HEAD", "/items/1", []),
        ("POST", "/items/1", [("x-http-method-override", "GET")]),
        ("BREW", "/items/1", []),
        ("get", "/items/1", []),
        ("GET", "/nowhere", []),
        ("DELETE", "/items/1", []),
        ("OPTIONS", "/items/1", []),
        ("OPTIONS", "/items/1", [("origin", "https://a.example")]),
        ("OPTIONS", "/items/1", [("access-control-request-method", "GET")]),
        ("GET", "/items/1/", []),
        ("GET", "//items//1", []),
        ("GET", "/items/../items/1", []),
        ("GET", "/docs", []),
    ],
)
async def test_nothing_a_client_writes_goes_uncounted(
    gate: Any, publish: Publisher, method: str, path: str, headers: list[tuple[str, str]]
) -> None:
    """405, 404, redirects and unknown methods count like everything else."""
    publish(policy(rule("general", 2)))
    app = await gate()
    assert (await call(app, method, path, headers=headers)).status not in (0, 429)
    await call(app, method, path, headers=headers)
    assert (await call(app, method, path, headers=headers)).status == 429


async def test_a_preflight_is_not_counted_unless_a_rule_names_options(gate: Any, publish: Publisher) -> None:
    preflight = [("origin", "https://a.example"), ("access-control-request-method", "GET")]
    publish(policy(rule("general", 1)))
    app = await gate()
    assert [(await call(app, "OPTIONS", "/items/1", headers=preflight)).status for _ in range(3)] == [405] * 3
    assert (await call(app, path="/items/1")).status == 200
    publish(policy(rule("preflights", 1, match=HttpMatch(methods=("OPTIONS",)))))
    await call(app, path="/items/1", client=("203.0.113.9", 1))  # learns of the change
    assert [(await call(app, "OPTIONS", "/items/1", headers=preflight)).status for _ in range(2)] == [405, 429]


async def test_a_browser_may_read_the_headers(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 1)))
    app = CORSMiddleware(await gate(), allow_origins=["https://a.example"])
    passed, refused = [await call(app, path="/items/1", headers=[("origin", "https://a.example")]) for _ in range(2)]
    assert (passed.status, refused.status) == (200, 429)
    for answer in (passed, refused):
        assert answer.header("access-control-allow-origin") == "https://a.example"
        assert answer.header("access-control-expose-headers") == "RateLimit, RateLimit-Policy, Retry-After"


async def test_proxies_say_who_it_is_and_clients_do_not(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 2), trusted_proxies=("127.0.0.0/8",)))
    app = await gate()

    async def ask(*lines: str, peer: str = "127.0.0.1") -> int:
        headers = [("x-forwarded-for", line) for line in lines]
        return (await call(app, path="/items/1", headers=headers, client=(peer, 9))).status

    spoofed = [await ask(f"6.6.6.{number}, 198.51.100.1") for number in range(3)]
    assert spoofed == [200, 200, 429]
    doubled = [await ask(f"6.6.7.{number}", "198.51.100.2") for number in range(3)]
    assert doubled == [200, 200, 429]
    direct = [await ask(f"6.6.8.{number}", peer="198.51.100.3") for number in range(3)]
    assert direct == [200, 200, 429]
    ports = [await ask(f"198.51.100.4:{number + 1000}") for number in range(3)]
    assert ports == [200, 200, 429]
    mapped = [await ask(text) for text in ("198.51.100.5", "::ffff:198.51.100.5", "::ffff:c633:6405")]
    assert mapped == [200, 200, 429]
    v6 = [await ask(f"2001:db8::{number}") for number in range(1, 4)]
    assert v6 == [200, 200, 429]


@pytest.mark.parametrize(
    "name", ["x-real-ip", "forwarded", "true-client-ip", "x_forwarded_for", "x.forwarded.for", "cf-connecting-ip"]
)
async def test_other_headers_are_ignored(gate: Any, publish: Publisher, name: str) -> None:
    publish(policy(rule("general", 1), trusted_proxies=("127.0.0.0/8",)))
    app = await gate()
    found = [
        (await call(app, path="/items/1", headers=[(name, f"6.6.6.{number}")], client=("127.0.0.1", 9))).status
        for number in range(2)
    ]
    assert found == [200, 429]


async def test_users_headers_and_everybody(gate: Any, publish: Publisher) -> None:
    publish(
        policy(
            rule("user", 2, key="User", path="/items"),
            rule("key", 2, key="Header", header="X-Api-Key", path="/admin"),
            rule("all", 3, key="Global", path="/status"),
        )
    )
    app = await gate(user=lambda scope: dict(scope["headers"]).get(b"x-user", b"").decode() or None)

    async def ask(path: str, client: str, **headers: str) -> int:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return (await call(app, path=path, headers=named, client=(client, 1))).status

    assert [await ask("/items/1", f"203.0.113.{n}", x_user="ann") for n in range(3)] == [200, 200, 429]
    assert await ask("/items/1", "203.0.113.1", x_user="bob") == 200
    assert [await ask("/items/1", "203.0.113.77") for _ in range(3)] == [200, 200, 429], "nobody: by address"
    assert await ask("/items/1", "203.0.113.78", x_user="203.0.113.77") == 200, "a user named as an address is another"
    assert [await ask("/admin/panel", f"203.0.113.{n}", x_api_key="k") for n in range(3)] == [200, 200, 429]
    assert [await ask("/admin/panel", "203.0.113.79", x_api_key=" ") for _ in range(3)] == [200, 200, 429]
    assert [await ask("/status/204", f"203.0.113.{n}") for n in range(4)] == [204, 204, 204, 429]


async def test_a_user_callable_that_fails_lets_nobody_through(
    gate: Any, publish: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(scope: Any) -> str:
        raise ValueError("bad token")

    publish(policy(rule("user", 1, key="User")))
    app = await gate(user=broken)
    assert statuses(await many(app, 5)) == {200: 1, 429: 4}
    assert sum("user= failed" in record.getMessage() for record in caplog.records) == 1


async def test_an_async_user_and_one_left_by_a_middleware(gate: Any, publish: Publisher) -> None:
    async def from_database(scope: Any) -> str | None:
        await asyncio.sleep(0)
        return "ann"

    publish(policy(rule("user", 1, key="User")))
    app = await gate(user=from_database)
    assert (await call(app, path="/items/1", client=("203.0.113.5", 1))).status == 200
    assert (await call(app, path="/items/1", client=("203.0.113.6", 1))).status == 429
    plain = await gate()
    assert (await call(plain, path="/items/1", client=("203.0.113.7", 1), state={"user": "ann"})).status == 429
    assert (await call(plain, path="/items/1", client=("203.0.113.7", 1), state={"user": 7})).status == 200


async def test_wrong_passwords_count_right_ones_do_not_and_guesses_cannot_race(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("auth", 5, 900_000, count="Failures", path="/login")))
    app = await gate()
    for _ in range(12):
        assert (await call(app, "POST", "/login", body=[b"right"])).status == 200
        await asyncio.sleep(SETTLED_SECONDS)
    for _ in range(5):
        assert (await call(app, "POST", "/login", body=[b"wrong"])).status == 401
    assert (await call(app, "POST", "/login", body=[b"wrong"])).status == 429
    refused = await call(app, "POST", "/login", body=[b"right"])
    assert refused.status == 429
    other = ("203.0.113.99", 1)
    guesses = await many(app, 60, "/login", "POST", body=[b"wrong"], client=other)
    assert statuses(guesses) == {401: 5, 429: 55}


async def test_a_full_failures_rule_bans(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("auth", 2, 1_000, count="Failures")))
    app = await gate()
    for _ in range(2):
        await call(app, "GET", "/status/401")
    await asyncio.sleep(SETTLED_SECONDS)
    refused = await call(app, "GET", "/status/200")
    assert refused.status == 429
    assert 800 < int(refused.header("retry-after")) < 1000, "15 minutes, though the window is a second"


async def test_in_flight_places_come_back(gate: Any, publish: Publisher, valkey_url: str) -> None:
    publish(policy(rule("two", in_flight=2, key="Global")))
    app = await gate()
    running = [asyncio.create_task(call(app, path="/slow/0.3")) for _ in range(2)]
    await asyncio.sleep(0.1)
    refused = await call(app, path="/items/1")
    assert refused.status == 503
    assert json.loads(refused.body)["type"].endswith("#temporary-reduced-capacity")
    assert int(refused.header("retry-after")) >= 1
    assert {(await task).status for task in running} == {200}
    await asyncio.sleep(SETTLED_SECONDS)
    assert (await call(app, path="/items/1")).status == 200


async def test_a_budget_is_shared(gate: Any, publish: Publisher) -> None:
    publish(
        BudgetDocument(name="ns/db", total=2),
        policy(rule("db", budgets=(BudgetShare(name="ns/db"),), key="Global")),
    )
    app = await gate()
    found = statuses(await many(app, 5, "/slow/0.2"))
    assert found == {200: 2, 503: 3}
    await asyncio.sleep(SETTLED_SECONDS)
    assert (await call(app, path="/items/1")).status == 200


async def test_a_policy_changes_while_requests_run(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 100)))
    app = await gate()
    assert statuses(await many(app, 20)) == {200: 20}
    publish(policy(rule("general", 30), rule("admin", 1, path="/admin")))
    assert statuses(await many(app, 20)) == {200: 10, 429: 10}
    elsewhere = ("203.0.113.44", 1)
    assert statuses(await many(app, 3, "/admin/panel", client=elsewhere)) == {200: 1, 429: 2}
    publish(policy(rule("general", 1000)))
    assert statuses(await many(app, 1, client=elsewhere)) == {200: 1}
    assert (await call(app, path="/items/1")).status == 200, "a refusal of the old policy is not in force any more"


async def test_shadow_refuses_nobody_and_is_counted(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("new", 1, mode="Shadow"), rule("general", 100)))
    app = await gate()
    answers = await many(app, 5)
    assert statuses(answers) == {200: 5}
    assert all("new" not in answer.header("ratelimit") for answer in answers)
    assert COUNTS.decisions["api", "new", "shadowed", "store"].value == 4


async def test_without_a_policy_requests_pass_and_are_counted(gate: Any, publish: Publisher) -> None:
    app = await gate()
    assert statuses(await many(app, 5)) == {200: 5}
    assert COUNTS.decisions["api", "", "unpolicied", "open"].value == 5


async def test_the_application_s_own_default_holds_until_a_policy_comes_and_after_it_went(
    gate: Any, publish: Publisher
) -> None:
    app = await gate(default=policy(rule("own", 2)))
    assert statuses(await many(app, 5)) == {200: 2, 429: 3}
    publish(policy(rule("general", 4)))
    await app._surface.reload()
    assert statuses(await many(app, 6)) == {200: 4, 429: 2}
    publish.unpublish()
    answers = await many(app, 3, client=("203.0.113.9", 1))
    assert statuses(answers) == {200: 2, 429: 1}


async def test_near_limits_are_counted_without_naming_anybody(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 10)))
    app = await gate()
    await many(app, 10)
    assert COUNTS.near["api", "general"].value == 2
    assert COUNTS.decisions["api", "general", "allowed", "store"].value == 10
    families = list(COUNTS.collect())
    text = str([sample for family in families for sample in family.samples])
    assert "203.0.113" not in text
    assert {"headgate_http_decisions", "headgate_http_near_limit"} <= {family.name for family in families}


async def test_refusals_are_logged_with_a_hash(gate: Any, publish: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    publish(policy(rule("general", 1)))
    app = await gate()
    with caplog.at_level(logging.WARNING):
        await many(app, 30)
    lines = [record.getMessage() for record in caplog.records if record.name == "headgate.gate"]
    assert len(lines) == 1
    assert re.match(
        r"Rate limit exceeded surface=api rule=general gate=rate identity=[0-9a-f]{32} limit=1 retry_after=\d+",
        lines[0],
    )


async def test_two_processes_know_the_same_client(gate: Any, publish: Publisher, valkey_url: str) -> None:
    publish(policy(rule("general", 5)))
    one, other = await gate(), await gate()
    answers = [*await many(one, 4), *await many(other, 4)]
    assert statuses(answers) == {200: 5, 429: 3}
    with redis.Redis.from_url(valkey_url) as client:
        keys = b" ".join(client.scan_iter("*", count=1000))
    assert b"203.0.113" not in keys


async def test_mounted_under_a_prefix_both_readings_of_the_path_count(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("inner", 1, path="/items"), rule("outer", 2, path="/api")))
    app = await gate()
    found = [(await call(app, path="/api/items/1", root_path="/api")).status for _ in range(2)]
    assert found == [200, 429]


async def test_hundreds_of_thousands_of_identities_do_not_fill_the_process(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 1)))
    app = await gate(user=lambda scope: None)
    for block in range(100):
        await asyncio.gather(*(call(app, path=f"/{block}/{n}", client=(f"10.{block}.0.{n}", 1)) for n in range(100)))
    snapshot = app._surface.snapshot
    assert len(snapshot.rule_set((0,)).questions) <= 8192
    assert len(snapshot.routes) <= 4096


async def test_script_flush_under_load(gate: Any, publish: Publisher, valkey_url: str) -> None:
    publish(policy(rule("general", 150)))
    app = await gate()
    with redis.Redis.from_url(valkey_url) as client:
        running = asyncio.gather(*(many(app, 25) for _ in range(8)))
        for _ in range(20):
            client.script_flush()
            await asyncio.sleep(0.001)
        answers = [answer for group in await running for answer in group]
    assert statuses(answers) == {200: 150, 429: 50}


async def test_a_million_bad_user_names_stay_apart_from_addresses(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("user", 1, key="User")))
    names = iter(["a:b", "a\r\nb", "é" * 5000, "203.0.113.1", "-", "\ud800"])
    app = await gate(user=lambda scope: next(names))
    assert [(await call(app, path="/items/1")).status for _ in range(6)] == [200] * 6


async def test_it_learns_of_a_change_without_a_request(
    gate: Any, publish: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate_api.gate.surface.RENEW_MS", 50)
    publish(policy(rule("general", 1)))
    app = await gate()
    publish(policy(rule("general", 2)))
    await until(lambda: app._surface.snapshot.document.rules[0].rate.limit == 2)
    await until(lambda: publish.door.inspect_http()["api"].instances == {app._surface.instance: 2})
