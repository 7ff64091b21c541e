"""Under real servers: several processes, many connections at once, what HTTP itself lets a client write."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.model.documents import BudgetDocument, BudgetShare
from tests.api.gate.conftest import Publisher, policy, rule
from tests.cluster.child import Child
from tests.stores import StoreServer, free_port, valkey_binary

ROOT = Path(__file__).resolve().parents[3]
PROXIED = ("127.0.0.0/8",)


class Server:
    """uvicorn with `workers` processes behind one port; the environment of the tests and the store's URL."""

    def __init__(self, folder: Path, store_url: str, workers: int = 1, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = [f"HEADGATE_STORE_URL={store_url}", f"PYTHONPATH={ROOT}"]
        command = ["env", *environment, sys.executable, "-m", "uvicorn", "tests.api.gate.served:app"]
        flags = ["--port", str(self.port), "--workers", str(workers), "--no-proxy-headers", "--log-level", "warning"]
        self.child = Child(f"uvicorn-{self.port}", [*command, *flags, *options], folder)

    def start(self) -> Server:
        self.child.start()
        deadline = time.monotonic() + 40
        while True:
            self.child.check()
            try:
                httpx.get(f"{self.url}/docs", headers={"x-forwarded-for": "192.0.2.250"}, timeout=2)
                return self
            except httpx.TransportError:
                assert time.monotonic() < deadline, "uvicorn does not answer"
                time.sleep(0.1)


@pytest.fixture
def served(tmp_path: Path, valkey_url: str) -> Iterator[Any]:
    servers: list[Server] = []

    def made(workers: int = 1, *options: str, store_url: str = valkey_url) -> Server:
        servers.append(Server(tmp_path, store_url, workers, *options))
        return servers[-1].start()

    yield made
    for server in servers:
        _end(server.child)


def _end(child: Child) -> None:
    """Its workers too: they are in its session."""
    if child.pid is not None:
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()


async def crowd(server: Server, path: str, addresses: list[str], **more: Any) -> list[httpx.Response]:
    """One request for each of `addresses`, all at once."""
    limits = httpx.Limits(max_connections=120)
    async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=30) as client:
        return await asyncio.gather(
            *(client.request("GET", path, headers={"x-forwarded-for": address}, **more) for address in addresses)
        )


async def test_four_processes_admit_exactly_the_limit_of_each_address(served: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 100, 900_000), rule("admin", 30, 900_000, path="/admin"), trusted_proxies=PROXIED))
    server = served(4)
    both = ["198.51.100.1", "198.51.100.2"] * 400
    answers = await crowd(server, "/items/1", both)
    for address in ("198.51.100.1", "198.51.100.2"):
        own = [answer for answer in answers if answer.request.headers["x-forwarded-for"] == address]
        assert sum(answer.status_code == 200 for answer in own) == 100
        refused = [answer for answer in own if answer.status_code != 200]
        assert {answer.status_code for answer in refused} == {429}
        for answer in refused:
            assert answer.headers["content-type"] == "application/problem+json"
            assert json.loads(answer.content)["violated-policies"] == ["general"]
            assert answer.headers["ratelimit-policy"] == '"general";q=100;w=900'
            left = int(re.fullmatch(r'"general";r=0;t=(\d+)', answer.headers["ratelimit"]).group(1))  # type: ignore[union-attr]
            assert left <= int(answer.headers["retry-after"])
    remaining = sorted(
        int(answer.headers["ratelimit"].split(";")[1].removeprefix("r=")) for answer in answers if answer.is_success
    )
    assert remaining == sorted(2 * list(range(100))), "each start saw its own count"
    other = await crowd(server, "/admin/panel", ["198.51.100.1"])
    assert '"admin";r=30;' in other[0].headers["ratelimit"], "refusals moved the counter of another rule"


async def test_parallel_guesses_over_four_processes(served: Any, publish: Publisher) -> None:
    publish(policy(rule("auth", 5, 900_000, count="Failures", path="/login"), trusted_proxies=PROXIED))
    server = served(4)
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for _ in range(8):
            assert (await client.post("/login", content=b"right")).status_code == 200
        answers = await asyncio.gather(*(client.post("/login", content=b"wrong") for _ in range(100)))
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 95
        assert (await client.post("/login", content=b"right")).status_code == 429


async def test_a_killed_process_gives_its_places_back(served: Any, publish: Publisher) -> None:
    """Its lease lapses: within 20 seconds."""
    publish(
        BudgetDocument(name="ns/db", total=2),
        policy(rule("db", budgets=(BudgetShare(name="ns/db"),), key="Global"), request_timeout_seconds=600),
    )
    dying, other = served(), served()
    tasks = [asyncio.create_task(crowd(dying, "/slow/500", ["192.0.2.1"])) for _ in range(2)]
    await asyncio.sleep(1)
    assert (await crowd(other, "/items/1", ["192.0.2.2"]))[0].status_code == 503
    _end(dying.child)
    begun = time.monotonic()
    await asyncio.gather(*tasks, return_exceptions=True)
    while (await crowd(other, "/items/1", ["192.0.2.2"]))[0].status_code == 503:
        assert time.monotonic() - begun < 22, "its places are still held"
        await asyncio.sleep(0.5)
    assert time.monotonic() - begun > 5, "taken from it while its lease ran"


TRICKS = [
    b"GET /admin/panel HTTP/1.1",
    b"GET /admin%2Fpanel HTTP/1.1",
    b"GET /%61dmin/p%61nel HTTP/1.1",
    b"GET http://evil.example/admin/panel HTTP/1.1",
    b"GET /admin/panel?x=%00 HTTP/1.1",
    b"GET /admin/panel#f HTTP/1.1",
    b"GET /admin/panel%0A HTTP/1.1",
    b"GET /admin/panel%3Fx HTTP/1.1",
    b"GET //admin//panel HTTP/1.1",
    b"GET /x/../admin/panel HTTP/1.1",
    b"GET /x/%2e%2e/admin/panel HTTP/1.1",
    b"GET /admin/./panel HTTP/1.1",
    b"GET /ADMIN/panel HTTP/1.1",
    b"GET /admin/panel/ HTTP/1.1",
    b"GET /admin;x/panel HTTP/1.1",
    b"GET \\admin\\panel HTTP/1.1",
    b"HEAD /admin/panel HTTP/1.1",
    b"GET /admin%252Fpanel HTTP/1.1",
    b"GET /admin/panel HTTP/1.0",
]


async def spoken(port: int, lines: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(lines)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_no_way_of_writing_a_request_reaches_the_handler_uncounted(
    served: Any, publish: Publisher, http: str
) -> None:
    """What gets the handler's own answer has been counted by its rule, whatever the target looked like."""
    publish(policy(rule("admin", 10_000, path="/admin")))
    server = served(1, "--http", http)
    served_by_handler = 0
    for trick in TRICKS:
        answer = await spoken(server.port, trick + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        if b'"panel":"yes"' in body or (trick.startswith(b"HEAD") and b" 200 " in head):
            served_by_handler += 1
            assert b'ratelimit: "admin"' in head.lower(), trick
    assert served_by_handler >= 5, "the tricks that a router accepts"


async def test_what_http_allows_in_headers(served: Any, publish: Publisher) -> None:
    """Two forwarding lines, continuation tricks, a body before the refusal, an expectation."""
    publish(policy(rule("general", 2), trusted_proxies=PROXIED, max_body_bytes=10))
    server = served()

    async def ask(*headers: bytes, method: bytes = b"GET /items/1") -> bytes:
        lines = [method + b" HTTP/1.1", b"Host: a", b"Connection: close", *headers, b"", b""]
        return (await spoken(server.port, b"\r\n".join(lines)))[:200]

    for number in range(3):
        answer = await ask(b"X-Forwarded-For: 6.6.6.%d" % number, b"X-Forwarded-For: 198.51.100.1")
        assert (b" 429 " in answer) is (number == 2)
    for number in range(3):
        answer = await ask(b"X-Forwarded-For: 198.51.100.9, 198.51.100.2", b"X_Forwarded_For: 6.6.6.%d" % number)
        assert (b" 429 " in answer) is (number == 2)
    upload = b"POST /upload"
    expecting = await ask(b"Content-Length: 5000", b"Expect: 100-continue", method=upload)
    assert expecting.startswith(b"HTTP/1.1 413 "), "it must not be invited to send"


async def test_over_the_wire_a_cut_response_is_seen_to_be_cut(served: Any, publish: Publisher) -> None:
    publish(policy(rule("general", 100), request_timeout_seconds=1))
    server = served()
    async with httpx.AsyncClient(base_url=server.url) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            await client.get("/drip/0.1/1000")
        late = await client.get("/slow/30")
        assert (late.status_code, late.headers["content-type"]) == (504, "application/problem+json")


@pytest.mark.slow
async def test_a_store_frozen_for_a_minute(tmp_path: Path, served: Any) -> None:
    """Local limits hold, what is added stays within 100 ms at the 99th percentile, and it comes back by itself."""
    store = StoreServer(valkey_binary(), tmp_path).start()
    Publisher(store.url)(policy(rule("general", 100, 3_600_000), trusted_proxies=PROXIED))
    server = served(store_url=store.url)
    seconds, found = [], []

    async def steady(until: float) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
            number = 0
            while time.monotonic() < until:
                number += 1
                address = "198.51.100.1" if number % 2 else f"203.0.{number // 250 % 250}.{number % 250}"
                begun = time.perf_counter()
                answer = await client.get("/items/1", headers={"x-forwarded-for": address})
                seconds.append(time.perf_counter() - begun)
                found.append((address, answer.status_code))
                await asyncio.sleep(0.02)

    os.kill(store.pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + 60
        await asyncio.gather(*(steady(until) for _ in range(4)))
    finally:
        os.kill(store.pid, signal.SIGCONT)
    one = [status for address, status in found if address == "198.51.100.1"]
    assert one.count(200) == 100
    assert one.count(429) == len(one) - 100 > 500
    assert sorted(seconds)[int(len(seconds) * 0.99)] <= 0.1
    await asyncio.sleep(6)
    back = await crowd(server, "/items/1", ["198.51.100.77"] * 120)
    assert sum(answer.status_code == 200 for answer in back) == 100
    metrics = Publisher(store.url).door.inspect_http()["api"].rules["general"]
    assert metrics.allowed >= 100, "the store decides again"
    store.kill()
