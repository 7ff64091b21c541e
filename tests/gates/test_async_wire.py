"""The asyncio connection: replies in order, none for another's question, deadlines that only the store can miss."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import cast

import pytest
import redis

from headgate.errors import StoreFull, StoreUnavailable
from headgate.gates.async_wire import AsyncWire
from headgate.gates.http import Admit, Allowed, Denied, RequestsBeat, Settle, StaleRules
from headgate.gates.http_door import HttpDoor
from headgate.gates.wire import ReplyError, pack
from tests.api.gate.conftest import Publisher, policy, rule
from tests.stores import StoreServer, valkey_binary

PING = pack(("PING",))


async def test_replies_match_their_questions_in_order(store_url: str) -> None:
    wire = AsyncWire(store_url)
    found = await asyncio.gather(*(wire.ask(pack(("ECHO", str(number)))) for number in range(500)))
    assert found == [str(number).encode() for number in range(500)]
    with pytest.raises(ReplyError, match="unknown command"):
        await wire.ask(pack(("NONSENSE",)))
    assert await wire.ask(PING) == b"PONG"
    await wire.close()


async def test_a_question_that_nobody_waits_for_takes_no_other_s_reply(valkey_url: str) -> None:
    wire = AsyncWire(valkey_url)
    await wire.ask(PING)
    gone = asyncio.ensure_future(wire.ask(pack(("ECHO", "gone"))))
    kept = wire.ask(pack(("ECHO", "kept")))
    gone.cancel()
    assert await kept == b"kept"
    await wire.close()


async def test_a_loop_that_stood_still_is_not_the_store_s_fault(valkey_url: str) -> None:
    wire = AsyncWire(valkey_url, deadline=0.05)
    await wire.ask(PING)
    waiting = wire.ask(PING)
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - what a blocking handler does
    assert await waiting == b"PONG"
    await wire.close()


async def test_late_replies_answer_nobody(tmp_path: Path) -> None:
    store = StoreServer(valkey_binary(), tmp_path).start()
    wire = AsyncWire(store.url)
    try:
        await wire.ask(PING)
        os.kill(store.pid, signal.SIGSTOP)
        begun = time.perf_counter()
        with pytest.raises(StoreUnavailable, match=r"none within 0\.1 s"):
            await wire.ask(pack(("ECHO", "late")))
        assert time.perf_counter() - begun < 0.5
        with pytest.raises(StoreUnavailable):
            wire.ask(PING)
        os.kill(store.pid, signal.SIGCONT)
        async with asyncio.timeout(10):
            while wire.fault is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await wire.ask(pack(("ECHO", "mine"))) == b"mine"
    finally:
        await wire.close()
        store.kill()


async def test_questions_before_the_first_connection_wait_no_longer_than_their_deadline() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    wire = AsyncWire(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
    begun = time.perf_counter()
    with pytest.raises(StoreUnavailable):
        await wire.ask(PING)
    assert time.perf_counter() - begun < 0.5
    await wire.close()
    silent.close()


async def test_urls_with_passwords_and_databases(tmp_path: Path) -> None:
    store = StoreServer(valkey_binary(), tmp_path).start()
    try:
        with redis.Redis.from_url(store.url) as client:
            client.config_set("requirepass", "p@ss")
        url = store.url.replace("//", "//:p%40ss@").replace("/0", "/3")
        wire = AsyncWire(url)
        await wire.ask(pack(("SET", "where", "three")))
        await wire.close()
        with redis.Redis.from_url(url) as client:
            assert client.get("where") == b"three"
        wrong = AsyncWire(store.url.replace("//", "//:wrong@"))
        with pytest.raises(StoreUnavailable, match="invalid username-password"):
            await wrong.ask(PING)
        await wrong.close()
    finally:
        store.kill()


class Pinged(asyncio.Protocol):
    """As much of a store as a handshake needs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"+PONG\r\n" * data.count(b"PING"))


async def test_unix_sockets(tmp_path: Path) -> None:
    server = await asyncio.get_running_loop().create_unix_server(Pinged, tmp_path / "store.sock")
    wire = AsyncWire(f"unix://{tmp_path / 'store.sock'}")
    assert await wire.ask(PING) == b"PONG"
    await wire.close()
    server.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """`cert` and `key` in this folder, for 127.0.0.1."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")],
        check=True, capture_output=True,
    )  # fmt: skip
    return tmp_path


async def test_tls_with_the_certificate_checked(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    server = await asyncio.get_running_loop().create_server(Pinged, "127.0.0.1", 0, ssl=context)
    url = f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    trusting = AsyncWire(f"{url}?ssl_ca_certs={certificate / 'cert'}", deadline=2)
    assert await trusting.ask(PING) == b"PONG"
    await trusting.close()
    strict = AsyncWire(url, deadline=2)
    with pytest.raises(StoreUnavailable, match="certificate"):
        await strict.ask(PING)
    await strict.close()
    server.close()


async def test_the_verbs(store_url: str) -> None:
    publish, door = Publisher(store_url), HttpDoor(store_url)
    assert await door.read_http("api") is None
    document = policy(rule("general", 2), rule("failures", 5, count="Failures"), rule("one", in_flight=1))
    publish(document)
    assert await door.read_http("api") == (1, document)
    who = ((0, "a" * 32), (1, "a" * 32), (2, "a" * 32))
    stale = await door.admit(Admit("api", 7, "i", "i:0", who))
    assert stale == StaleRules(1)
    first = await door.admit(Admit("api", 1, "i", "i:1", who))
    assert isinstance(first, Allowed)
    assert [state.remaining for state in first.states][:2] == [1, 4]
    refused = await door.admit(Admit("api", 1, "i", "i:2", who))
    assert isinstance(refused, Denied)
    assert (refused.index, refused.gate) == (2, "inFlight")
    renewal = await door.renew_requests(RequestsBeat("i", "pod", {"api": 1, "none": 0}, first.places))
    assert dict(renewal.revisions) == {"api": 1, "none": 0}
    settle = Settle("api", "i:1", first.places, first.stamp, failed=False)
    assert await door.settle([settle]) == 2
    assert await door.settle([settle]) == 0
    await door.close()
    publish.door.close()


async def test_an_admit_whose_reply_is_lost_is_not_sent_again(tmp_path: Path) -> None:
    store = StoreServer(valkey_binary(), tmp_path).start()
    door = HttpDoor(store.url)
    try:
        publish = Publisher(store.url)
        publish(policy(rule("general", 10)))
        ask = Admit("api", 1, "i", "i:1", ((0, "a" * 32),))
        await door.admit(ask)
        os.kill(store.pid, signal.SIGSTOP)
        with pytest.raises(StoreUnavailable):
            await door.admit(ask)
        os.kill(store.pid, signal.SIGCONT)
        async with asyncio.timeout(10):
            while door.fault is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        answer = await door.admit(ask)
        assert isinstance(answer, Allowed)
        assert 7 <= answer.states[0].remaining <= 8, "the lost one counts at most once"
        publish.door.close()
    finally:
        await door.close()
        store.kill()


async def test_a_full_store_says_so(tmp_path: Path) -> None:
    store = StoreServer(valkey_binary(), tmp_path).start()
    door = HttpDoor(store.url)
    try:
        publish = Publisher(store.url)
        publish(policy(rule("general", 10)))
        publish.door.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreFull):
            await door.admit(Admit("api", 1, "i", "i:1", ((0, "a" * 32),)))
        assert door.fault is None, "it answers: this is no reason to stop asking"
        publish.door.close()
    finally:
        await door.close()
        store.kill()
