"""The store fixtures are the real servers that the tests claim to run on."""

import redis

from tests.stores import StoreServer


def version(server: StoreServer) -> dict[str, str]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return client.info("server")


def test_valkey_is_nine_or_newer(valkey_server: StoreServer) -> None:
    assert int(version(valkey_server)["valkey_version"].split(".")[0]) >= 9


def test_redis_is_seven(redis_server: StoreServer) -> None:
    found = version(redis_server)
    assert "valkey_version" not in found
    assert tuple(int(part) for part in found["redis_version"].split("."))[:2] >= (7, 0)


def test_a_killed_server_starts_again_on_its_port(tmp_path_factory, valkey_server: StoreServer) -> None:
    own = StoreServer(valkey_server.child.command[0], tmp_path_factory.mktemp("own")).start()
    first = own.pid
    own.kill()
    assert own.start().pid != first
    own.kill()
