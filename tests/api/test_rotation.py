"""The store's address in a mounted file: another password, another server, without a restart."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from headgate.errors import InvalidInput
from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, HttpRule, QueueDocument, RateDocument
from headgate_api.app import create_app
from headgate_api.gate.settings import store_url
from headgate_api.gate.store_url import StoreUrl
from headgate_api.settings import Settings
from tests.api.server import serving
from tests.stores import StoreServer, valkey_binary

pytestmark = pytest.mark.store
OPERATOR = {"Authorization": "Bearer operator"}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[[str], StoreServer]]:
    with contextlib.ExitStack() as stack:

        def server(name: str) -> StoreServer:
            (tmp_path / name).mkdir()
            started = StoreServer(valkey_binary(), tmp_path / name).start()
            stack.callback(started.kill)
            return started

        yield server


def declare(url: str, queue: str, limit: int) -> None:
    rule = HttpRule(name="all", key="Global", rate=RateDocument(limit=limit, period_ms=3_600_000))
    with contextlib.closing(Door(url)) as door:
        door.publish(QueueDocument(queue=queue), Owner(f"shop/{queue}", queue, 1))
        door.publish(HttpDocument(surface="headgate-api", rules=(rule,)), Owner("shop/api", "api", 1))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def limit_seen(client: httpx.Client) -> str:
    return client.get("/v1/queues", headers=OPERATOR).headers.get("ratelimit-policy", "")


def queues_seen(client: httpx.Client) -> list[str]:
    answer = client.get("/v1/queues", headers=OPERATOR)
    return [queue["queue"] for queue in answer.json()["queues"]] if answer.status_code == 200 else []


def test_it_moves_to_another_server_with_all_that_it_does(
    servers: Callable[[str], StoreServer], tokens_file: Path, tmp_path: Path
) -> None:
    """Routes, RQ's own code and the limits of the service: nothing stays at the old address, though it answers."""
    old, new = servers("old"), servers("new")
    declare(old.url, "before", 1_000)
    declare(new.url, "after", 2_000)
    with redis.Redis.from_url(new.url) as raw:
        raw.hset("rq:job:dead", mapping={"created_at": "2026-01-01T00:00:00.000000Z", "origin": "after", "data": b""})
    file = tmp_path / "url"
    file.write_text(f"{old.url}\n")
    with (
        serving(create_app(Settings(StoreUrl(file=file), tokens_file))) as url,
        httpx.Client(base_url=url) as client,
    ):
        until(lambda: "1000" in limit_seen(client))
        assert queues_seen(client) == ["before"]
        assert client.post("/v1/jobs/dead/cancel", headers=OPERATOR).status_code == 404
        file.write_text(new.url)
        until(lambda: queues_seen(client) == ["after"])
        until(lambda: "2000" in limit_seen(client))
        assert client.post("/v1/jobs/dead/cancel", headers=OPERATOR).status_code != 404


def test_a_new_password_is_used_once_the_old_connections_end(
    servers: Callable[[str], StoreServer], tokens_file: Path, tmp_path: Path
) -> None:
    server = servers("one")
    declare(server.url, "emails", 1_000)
    file = tmp_path / "url"
    file.write_text(server.url)
    with (
        serving(create_app(Settings(StoreUrl(file=file), tokens_file))) as url,
        httpx.Client(base_url=url) as client,
        redis.Redis.from_url(server.url) as admin,
    ):
        until(lambda: "1000" in limit_seen(client))
        admin.config_set("requirepass", "rotated")
        file.write_text(server.url.replace("redis://", "redis://:rotated@"))
        admin.client_kill_filter(skipme=True)
        until(lambda: queues_seen(client) == ["emails"] and "1000" in limit_seen(client))


def test_what_is_no_address_leaves_the_last_one_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "url"
    file.write_text("redis://one:6379\n")
    found = store_url({"HEADGATE_STORE_URL_FILE": str(file)})
    assert found.now() == "redis://one:6379"
    for wrong in ("", "https://two", "redis://two:port"):
        file.write_text(wrong)
        assert found.now() == "redis://one:6379"
    file.unlink()
    assert found.now() == "redis://one:6379"
    assert "last one stays in use" in caplog.text
    file.write_text("rediss://:secret@two:6379")
    assert found.now() == "rediss://:secret@two:6379"
    assert "secret" not in caplog.text


@pytest.mark.parametrize("text", ["", "localhost:6379", "http://x"])
def test_at_the_start_it_is_an_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    with pytest.raises(InvalidInput, match="begins with redis://"):
        store_url({"HEADGATE_STORE_URL_FILE": str(file)})
