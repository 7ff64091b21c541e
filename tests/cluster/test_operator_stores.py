"""Stores come and go, change their password and their settings; the operator follows and says what it sees."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.stores import StoreServer, valkey_binary

from .operator_fixtures import World
from .operator_process import OperatorProcess, policy, until

Make = Callable[..., OperatorProcess]


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[StoreServer]:
    """A store that a test may stop, fill and misconfigure."""
    server = StoreServer(valkey_binary(), tmp_path)
    yield server
    server.kill()


def test_a_store_that_is_away_at_the_start_is_waited_for(
    world: World, new_operator: Make, own_store: StoreServer
) -> None:
    operator = new_operator()
    operator.url_file.write_text(own_store.url)
    operator.start()
    until(lambda: operator.ready, "ready without any store")
    world.apply(policy("emails", concurrency={"total": 3}))
    world.await_condition("queuepolicy/emails", "Enforced", "Unknown", "StoreUnreachable")
    assert operator.metric('headgate_store_up{store="default"}') == 0
    own_store.start()
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances")
    world.store_url = own_store.url
    assert world.document("emails").total == 3
    assert operator.metric('headgate_store_up{store="default"}') == 1


def test_a_store_that_lost_its_data_gets_the_documents_again(world: World, operator: OperatorProcess) -> None:
    world.apply(policy("emails", concurrency={"total": 3}))
    until(lambda: world.document("emails"), "published")
    with redis.Redis.from_url(world.store_url) as client:
        client.flushall()
    until(lambda: world.document("emails"), "published again", 15)
    assert world.document("emails").total == 3


def test_a_new_password_is_taken_from_the_file_without_a_restart(
    world: World, new_operator: Make, own_store: StoreServer
) -> None:
    own_store.start()
    operator = new_operator()
    operator.url_file.write_text(own_store.url)
    operator.start()
    world.apply(policy("emails", concurrency={"total": 3}))
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances")
    with redis.Redis.from_url(own_store.url) as client:
        client.config_set("requirepass", "secret")
        client.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
    world.await_condition("queuepolicy/emails", "Enforced", "Unknown", "StoreUnreachable", 40)
    message = world.message("queuepolicy/emails", "Enforced")
    assert "password" in message.lower() or "NOAUTH" in message
    assert "secret" not in operator.log
    operator.url_file.write_text(own_store.url.replace("redis://", "redis://:secret@"))
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances", 40)
    assert "secret" not in operator.log


@pytest.mark.parametrize("content", ["", "not a url", "http://example"])
def test_a_file_without_an_address_is_said_in_words(world: World, new_operator: Make, content: str) -> None:
    operator = new_operator()
    operator.url_file.write_text(content)
    operator.start()
    world.apply(policy("emails"))
    world.await_condition("queuepolicy/emails", "Enforced", "Unknown", "StoreUnreachable")
    assert str(operator.url_file) in world.message("queuepolicy/emails", "Enforced")


def test_a_store_that_evicts_keys_gets_nothing_and_is_named(
    world: World, new_operator: Make, own_store: StoreServer
) -> None:
    own_store.start()
    with redis.Redis.from_url(own_store.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    operator = new_operator()
    operator.url_file.write_text(own_store.url)
    operator.start()
    world.apply(policy("emails", concurrency={"total": 3}))
    world.await_condition("queuepolicy/emails", "Degraded", "True", "StoreEvicts")
    assert "maxmemory-policy" in world.message("queuepolicy/emails", "Degraded")
    with redis.Redis.from_url(own_store.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
    world.await_condition("queuepolicy/emails", "Enforced", "True", "NoInstances", 40)
