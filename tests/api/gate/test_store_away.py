"""The store frozen, dead, silent, full, read-only or shut: each as declared, within 100 ms, and back by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from headgate.model.documents import BudgetDocument, BudgetShare
from headgate_api.gate import GateMiddleware
from headgate_api.gate.metrics import COUNTS
from tests.api.gate.asgi import call, lifespan
from tests.api.gate.backend import app as backend
from tests.api.gate.conftest import Publisher, policy, rule, until
from tests.stores import StoreServer, free_port, valkey_binary

BUDGET_SECONDS = 0.1
SLACK_SECONDS = 0.15
"""What a busy machine may add."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    server = StoreServer(valkey_binary(), tmp_path).start()
    yield server
    server.kill()


@asynccontextmanager
async def gated(url: str, **options: Any) -> AsyncIterator[GateMiddleware]:
    app = GateMiddleware(backend, store_url=url, **options)
    async with lifespan(app):
        yield app


@contextmanager
def frozen(store: StoreServer) -> Iterator[None]:
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


async def timed(app: Any, **more: Any) -> tuple[int, float]:
    begun = time.perf_counter()
    answer = await call(app, path="/items/1", **more)
    return answer.status, time.perf_counter() - begun


async def test_a_frozen_store_costs_one_deadline_and_local_limits_hold(store: StoreServer) -> None:
    Publisher(store.url)(policy(rule("general", 10)))
    async with gated(store.url) as app:
        assert (await call(app, path="/items/1")).status == 200
        with frozen(store):
            found = await asyncio.gather(*(timed(app) for _ in range(20)))
            assert max(seconds for _, seconds in found) < BUDGET_SECONDS + SLACK_SECONDS
            for _ in range(3):
                found += await asyncio.gather(*(timed(app) for _ in range(20)))
                await asyncio.sleep(0.1)
            later = sorted(seconds for _, seconds in found[20:])
            assert later[len(later) // 2] < 0.02, "while it is known to be away nobody waits for it"
            assert [status for status, _ in found].count(200) == 10
        await until(lambda: app._surface.door.fault is None, 10)
        answer = await call(app, path="/items/1", client=("203.0.113.2", 1))
        assert answer.status == 200
        assert COUNTS.decisions["api", "general", "allowed", "store"].value == 2
    assert COUNTS.decisions["api", "general", "denied", "local"].value == 70


async def test_two_processes_share_the_limit_while_the_store_is_away(store: StoreServer) -> None:
    Publisher(store.url)(policy(rule("general", 9), rule("scarce", 1, key="Global", path="/slow")))
    async with gated(store.url) as one, gated(store.url) as two:
        for app in (one, two, one):
            await app._surface._renew()
        store.kill()
        found = [[(await call(app, path="/items/1")).status for _ in range(8)] for app in (one, two)]
        assert [statuses.count(200) for statuses in found] == [4, 4]
        assert [statuses.count(429) for statuses in found] == [4, 4]
        other = await call(one, path="/items/1", client=("203.0.113.2", 1))
        assert '"general";r=3;' in other.header("ratelimit"), "what is left of its part"
        assert [(await call(app, path="/slow/0", client=("203.0.113.9", 1))).status for app in (one, two)] == [200, 200]
        assert (await call(one, path="/slow/0", client=("203.0.113.9", 1))).status == 429, "at least one, not none"


@pytest.mark.parametrize(("mode", "status"), [("Deny", 503), ("Allow", 200), ("Local", 200)])
async def test_a_dead_store_as_declared_and_its_return(
    store: StoreServer, mode: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    Publisher(store.url)(policy(rule("general", 100), on_store_failure=mode))
    async with gated(store.url) as app:
        assert (await call(app, path="/items/1")).status == 200
        store.kill()
        answer = await call(app, path="/items/1")
        assert answer.status == status
        if status == 503:
            assert int(answer.header("retry-after")) >= 1
            assert b"temporary-reduced-capacity" in answer.body
            assert COUNTS.decisions["api", "general", "unavailable", "open"].value == 1
        assert (await call(app, path="/items/1")).status == status
        told = [record.getMessage() for record in caplog.records if "without the store" in record.getMessage()]
        assert len(told) == 1
        assert told[0].startswith(f"Decided without the store surface=api onStoreFailure={mode}: ")
        store.start()
        Publisher(store.url)(policy(rule("general", 1)))
        await until(lambda: app._surface.door.fault is None, 12)
        fresh = [(await call(app, path="/items/1", client=("203.0.113.2", 1))).status for _ in range(2)]
        assert fresh == [200, 429], "the new store's policy is in force"


async def test_what_is_shut_away_from_the_start(tmp_path: Path) -> None:
    """Nobody listens, or somebody who never answers: the application starts, and holds its own default."""
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    for url in (f"redis://127.0.0.1:{free_port()}/0", f"redis://127.0.0.1:{port}/0", "unix:///nowhere/at/all"):
        begun = time.perf_counter()
        async with gated(url, default=policy(rule("own", 2))) as app:
            assert time.perf_counter() - begun < 1
            assert [(await call(app, path="/items/1")).status for _ in range(3)] == [200, 200, 429]
        async with gated(url) as app:
            assert (await call(app, path="/items/1")).status == 200
    silent.close()


async def test_a_full_store_refuses_as_declared_and_what_runs_can_end(store: StoreServer) -> None:
    Publisher(store.url)(
        policy(rule("general", 100), rule("one", in_flight=1, key="Global"), on_store_failure="Deny"),
    )
    async with gated(store.url) as app:
        running = asyncio.create_task(call(app, path="/slow/0.3"))
        await asyncio.sleep(0.1)
        with redis.Redis.from_url(store.url) as client:
            client.config_set("maxmemory", "1")
            assert (await call(app, path="/items/1")).status == 503
            assert (await running).status == 200
            await asyncio.sleep(0.05)
            client.config_set("maxmemory", "0")
        assert (await call(app, path="/items/1")).status == 200, "the place was given back while the store was full"


async def test_a_store_that_became_a_replica(store: StoreServer) -> None:
    Publisher(store.url)(policy(rule("general", 2)))
    async with gated(store.url) as app:
        await call(app, path="/items/1")
        with redis.Redis.from_url(store.url) as client:
            client.replicaof("127.0.0.1", free_port())
            found = [await timed(app) for _ in range(5)]
            assert [status for status, _ in found] == [200, 200, 429, 429, 429], "local, and one second count"
            assert max(seconds for _, seconds in found) < BUDGET_SECONDS + SLACK_SECONDS
            client.replicaof("NO", "ONE")
        await until(lambda: app._surface.door.fault is None, 10)
        await app._surface.reload()
        assert (await call(app, path="/items/1", client=("203.0.113.2", 1))).status == 200


async def test_a_password_that_changed(store: StoreServer) -> None:
    Publisher(store.url)(policy(rule("general", 2), on_store_failure="Deny"))
    with redis.Redis.from_url(store.url) as client:
        client.config_set("requirepass", "secret")
        async with gated(store.url, default=policy(rule("own", 1))) as app:
            assert [(await call(app, path="/items/1")).status for _ in range(2)] == [200, 429]
        async with gated(store.url.replace("redis://", "redis://:secret@")) as app:
            assert [(await call(app, path="/items/1")).status for _ in range(3)] == [200, 200, 429]


async def test_budgets_are_not_lent_while_the_store_is_away(store: StoreServer) -> None:
    """Only the store knows what jobs hold of them."""
    Publisher(store.url)(
        BudgetDocument(name="ns/db", total=5),
        policy(rule("general", 9), rule("db", budgets=(BudgetShare(name="ns/db"),), path="/admin")),
    )
    async with gated(store.url) as app:
        assert (await call(app, path="/admin/panel")).status == 200
        store.kill()
        assert (await call(app, path="/admin/panel")).status == 503
        assert (await call(app, path="/items/1")).status == 200


async def test_what_ended_meanwhile_is_settled_afterwards(store: StoreServer) -> None:
    Publisher(store.url)(policy(rule("one", in_flight=1, key="Global"), on_store_failure="Deny"))
    async with gated(store.url) as app:
        running = asyncio.create_task(call(app, path="/slow/0.3"))
        await asyncio.sleep(0.1)
        with frozen(store):
            assert (await running).status == 200
            await asyncio.sleep(0.2)
        await until(lambda: app._surface.door.fault is None, 10)
        await until(lambda: not app._surface.door._settles, 5)
        assert (await call(app, path="/items/1")).status == 200


async def test_an_invalid_policy_leaves_the_last_good_one(
    store: StoreServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("headgate_api.gate.surface.RENEW_MS", 50)
    Publisher(store.url)(policy(rule("general", 5)))
    async with gated(store.url) as app:
        with redis.Redis.from_url(store.url) as client:
            client.hset("rq:hg:http:api", mapping={"doc": '{"kind":"http","of":"a later version"}', "revision": "99"})
        await until(lambda: any("Policy not read" in record.getMessage() for record in caplog.records))
        found = [(await call(app, path="/items/1")).status for _ in range(6)]
        assert found == [200] * 5 + [429]


async def test_forgotten_secrets_are_agreed_on_again(store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that lost its memory must not leave two processes with two names for one client."""
    monkeypatch.setattr("headgate_api.gate.surface.RENEW_MS", 50)
    publish = Publisher(store.url)
    publish(policy(rule("general", 5)))
    async with gated(store.url) as one, gated(store.url) as other:
        with redis.Redis.from_url(store.url) as client:
            client.delete("rq:hg:http-secret")

            def agreed() -> bool:
                secrets = {app._surface.snapshot.identities.secret for app in (one, other)}  # type: ignore[union-attr]
                return secrets == {client.get("rq:hg:http-secret")}

            await until(agreed)
