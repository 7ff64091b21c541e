"""The embedded store: reachable with its URL only, gone at the end, kept only where asked."""

from pathlib import Path

import psutil
import pytest
import redis

from headgate.errors import InvalidInput
from headgate_cli.local.store_server import embedded_store

pytestmark = pytest.mark.store


def say(_source: str, _line: str) -> None:
    """What the server logs is of no interest here."""


def servers() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True) if "valkey" in child.name()}


async def test_it_answers_refuses_to_evict_and_is_stopped(tmp_path: Path) -> None:
    before = servers()
    async with embedded_store(None, say) as store:
        with redis.Redis.from_url(store.url) as client:
            assert client.ping()
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("save", "appendonly") == {"save": "", "appendonly": "no"}
        assert len(servers() - before) == 1
        without = store.url.replace(store.url.partition("//")[2].partition("@")[0] + "@", "")
        with redis.Redis.from_url(without) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    assert servers() == before
    with redis.Redis.from_url(store.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


async def test_a_data_folder_keeps_what_it_holds(tmp_path: Path) -> None:
    for expected, value in ((None, "1"), (b"1", "2"), (b"2", "3")):
        async with embedded_store(tmp_path / "data", say) as store:
            with redis.Redis.from_url(store.url) as client:
                assert client.get("key") == expected
                client.set("key", value)


async def test_a_data_folder_has_one_server_at_a_time(tmp_path: Path) -> None:
    async with embedded_store(tmp_path, say):
        with pytest.raises(InvalidInput, match="another headgate up keeps its store there"):
            async with embedded_store(tmp_path, say):
                pass


async def test_a_data_folder_that_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"--data .*file/data: Not a directory"):
        async with embedded_store(tmp_path / "file" / "data", say):
            pass


async def test_its_end_is_noticed(tmp_path: Path) -> None:
    before = servers()
    async with embedded_store(None, say) as store:
        (pid,) = servers() - before
        psutil.Process(pid).kill()
        assert await store.ended != 0
