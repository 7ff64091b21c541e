"""Stores for every test folder. One server of each sort a session; each test gets it empty."""

from collections.abc import Iterator

import pytest
import redis
import structlog

from tests.stores import StoreServer, redis_binary, valkey_binary


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses a store server, or may start its own, carries the marker, so that `-m "not store"` never starts one."""
    for item in items:
        shared = {"valkey_server", "redis_server", "store_server"} & set(getattr(item, "fixturenames", ()))
        if shared or hasattr(getattr(item, "module", None), "StoreServer"):
            item.add_marker(pytest.mark.store)


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """What a test configures would write to its captured, closed stream in the next one."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def valkey_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(valkey_binary(), tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(redis_binary(), tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


def _emptied(server: StoreServer) -> StoreServer:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.script_flush()
    return server


@pytest.fixture
def valkey_server(valkey_session: StoreServer) -> StoreServer:
    """Valkey 9, empty. For tests that kill their server make a `StoreServer` of their own."""
    return _emptied(valkey_session)


@pytest.fixture
def redis_server(redis_session: StoreServer) -> StoreServer:
    """Redis 7, empty."""
    return _emptied(redis_session)


@pytest.fixture(params=["valkey", "redis"])
def store_server(request: pytest.FixtureRequest) -> StoreServer:
    """The test runs once on each."""
    return _emptied(request.getfixturevalue(f"{request.param}_session"))


@pytest.fixture
def valkey_url(valkey_server: StoreServer) -> str:
    return valkey_server.url


@pytest.fixture
def redis_url(redis_server: StoreServer) -> str:
    return redis_server.url


@pytest.fixture
def store_url(store_server: StoreServer) -> str:
    return store_server.url
