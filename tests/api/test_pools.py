"""watch_pool: what pools do not say of themselves, from real ones."""

import threading
import time

import pytest
import redis
import sqlalchemy
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, QueuePool

from headgate_api.pools import PoolUse, watch_pool


def eventually(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def fails(get):
    with pytest.raises(redis.ConnectionError):
        get()


def engine(**options):
    return sqlalchemy.create_engine(
        "sqlite://", poolclass=QueuePool, connect_args={"check_same_thread": False}, **options
    )


def test_a_full_sqlalchemy_pool_shows_who_waits_and_who_gave_up():
    registry = CollectorRegistry()
    database = engine(pool_size=1, max_overflow=1, pool_timeout=0.3)
    watched = watch_pool(database, "main", registry=registry)
    assert watched.use() == PoolUse(0, 0, 2, 0, 0)
    with database.connect(), database.connect():
        failed = []

        def third():
            try:
                database.connect()
            except PoolTimeout as error:
                failed.append(error)

        thread = threading.Thread(target=third)
        thread.start()
        eventually(lambda: watched.use() == PoolUse(2, 0, 2, 1, 0))
        assert b'headgate_pool_waiting{pool="main"} 1.0' in generate_latest(registry)
        thread.join()
        assert len(failed) == 1
    assert watched.use() == PoolUse(0, 1, 2, 0, 1)
    assert b'headgate_pool_timeouts_total{pool="main"} 1.0' in generate_latest(registry)
    database.dispose()


def test_the_pool_after_dispose_is_watched_too():
    database = engine(pool_size=2, max_overflow=0)
    watched = watch_pool(database, registry=CollectorRegistry())
    database.dispose()
    assert watched.use().in_use == 0
    with database.connect():
        assert watched.use().in_use == 1
    database.dispose()


def test_a_pool_that_keeps_nothing():
    watched = watch_pool(sqlalchemy.create_engine("sqlite://", poolclass=NullPool), registry=CollectorRegistry())
    assert watched.use() == PoolUse(0, 0, 0, 0, 0)


@pytest.mark.store
def test_a_blocking_redis_pool(valkey_url):
    pool = redis.BlockingConnectionPool.from_url(valkey_url, max_connections=1, timeout=0.3)
    watched = watch_pool(pool, registry=CollectorRegistry())
    held = pool.get_connection()
    assert watched.use() == PoolUse(1, 0, 1, 0, 0)
    thread = threading.Thread(target=lambda: fails(pool.get_connection))
    thread.start()
    eventually(lambda: watched.use().waiting == 1)
    thread.join()
    pool.release(held)
    assert watched.use() == PoolUse(0, 1, 1, 0, 1)
    pool.disconnect()


@pytest.mark.store
def test_a_redis_client_with_a_limit(valkey_url):
    client = redis.Redis.from_url(valkey_url, max_connections=1)
    watched = watch_pool(client, registry=CollectorRegistry())
    held = client.connection_pool.get_connection()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert watched.use() == PoolUse(1, 0, 1, 0, 1)
    client.connection_pool.release(held)
    assert client.ping()
    client.close()


@pytest.mark.store
async def test_an_asyncio_redis_client(valkey_url):
    client = redis.asyncio.Redis.from_url(valkey_url, max_connections=4)
    watched = watch_pool(client, registry=CollectorRegistry())
    assert await client.ping()
    assert watched.use() == PoolUse(0, 1, 4, 0, 0)
    await client.aclose()


def test_what_is_no_pool():
    with pytest.raises(TypeError, match="a SQLAlchemy engine, a redis client"):
        watch_pool(object(), registry=CollectorRegistry())
