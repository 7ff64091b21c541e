"""How full the application's own connection pools are: what waits there is the queue that nobody sees.

watch_pool(engine)              # SQLAlchemy, also an AsyncEngine
watch_pool(redis_client)        # redis-py, sync or asyncio, or its connection pool
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections in use and idle, callers that wait for one, and how many gave up. `limit` 0: no limit."""

    in_use: int
    idle: int
    limit: int
    waiting: int
    timeouts: int


class Watched(Protocol):
    def use(self) -> PoolUse: ...


class _Counts:
    """What a pool does not count itself: callers inside its `get`, and those that left with an error."""

    def __init__(self, is_timeout: Callable[[BaseException], bool]) -> None:
        self.inside, self.timeouts = 0, 0
        self._is_timeout, self._lock = is_timeout, Lock()

    @contextmanager
    def _call(self) -> Iterator[None]:
        with self._lock:
            self.inside += 1
        gave_up = False
        try:
            yield
        except BaseException as error:
            gave_up = self._is_timeout(error)
            raise
        finally:
            with self._lock:
                self.inside -= 1
                self.timeouts += gave_up

    def around(self, get: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, counted. Kept on the pool's instance, so nothing of other pools changes."""

        @functools.wraps(get)
        def counted(*args: Any, **options: Any) -> Any:
            with self._call():
                return get(*args, **options)

        return counted

    def around_async(self, get: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(get)
        async def counted(*args: Any, **options: Any) -> Any:
            with self._call():
                return await get(*args, **options)

        return counted


class SqlalchemyPool:
    """An engine's pool, also the new one after `dispose`."""

    def __init__(self, engine: Any) -> None:
        self._engine = getattr(engine, "sync_engine", engine)
        self._counts = _Counts(_is_sqlalchemy_timeout)
        self._seen: Any = None
        self._look()

    def use(self) -> PoolUse:
        pool = self._look()
        if not hasattr(pool, "checkedout"):  # NullPool keeps none, StaticPool one
            return PoolUse(0, 0, 0, 0, self._counts.timeouts)
        in_use, idle = pool.checkedout(), pool.checkedin()
        overflow = max(0, getattr(pool, "_max_overflow", 0))
        limit = pool.size() + overflow if getattr(pool, "_max_overflow", 0) >= 0 else 0
        waiting = self._counts.inside if limit and in_use >= limit else 0
        return PoolUse(in_use, idle, limit, waiting, self._counts.timeouts)

    def _look(self) -> Any:
        pool = self._engine.pool
        if pool is not self._seen:
            self._seen = pool
            pool._do_get = self._counts.around(pool._do_get)
        return pool


class RedisPool:
    """A redis-py pool, blocking or not, sync or asyncio."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._counts = _Counts(lambda error: type(error).__name__ in ("ConnectionError", "MaxConnectionsError"))
        is_async = type(pool).__module__.startswith("redis.asyncio")
        around = self._counts.around_async if is_async else self._counts.around
        pool.get_connection = around(pool.get_connection)

    def use(self) -> PoolUse:
        pool = self._pool
        if hasattr(pool, "_in_use_connections"):
            in_use, idle = len(pool._in_use_connections), len(pool._available_connections)
        else:
            free = [one for one in list(pool.pool.queue) if one is not None]
            in_use, idle = len(pool._connections) - len(free), len(free)
        limit = pool.max_connections if pool.max_connections < 2**31 else 0
        waiting = self._counts.inside if limit and in_use >= limit else 0
        return PoolUse(in_use, idle, limit, waiting, self._counts.timeouts)


class _Collector:
    def __init__(self) -> None:
        self.pools: dict[str, Watched] = {}

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        uses = {name: pool.use() for name, pool in list(self.pools.items())}
        for field, text in (
            ("in_use", "Connections in use"),
            ("idle", "Connections that are open and free"),
            ("waiting", "Callers that wait for a connection"),
            ("limit", "Most connections, 0 for no limit"),
        ):
            family = GaugeMetricFamily(f"headgate_pool_{field}", text, labels=("pool",))
            for name, use in uses.items():
                family.add_metric((name,), getattr(use, field))
            yield family
        counter = CounterMetricFamily("headgate_pool_timeouts", "Callers that got no connection", labels=("pool",))
        for name, use in uses.items():
            counter.add_metric((name,), use.timeouts)
        yield counter


_COLLECTORS: WeakKeyDictionary[CollectorRegistry, _Collector] = WeakKeyDictionary()


def watch_pool(of: Any, name: str | None = None, *, registry: CollectorRegistry = REGISTRY) -> Watched:
    """Export its use at the registry as headgate_pool_*{pool="<name>"}. `name`: `database` or `redis` when not given.

    The same name again replaces the pool that had it. Raises TypeError for what is no pool.
    """
    watched, default = _watched(of)
    collector = _COLLECTORS.get(registry)
    if collector is None:
        collector = _COLLECTORS[registry] = _Collector()
        registry.register(collector)
    collector.pools[name or default] = watched
    return watched


def _watched(of: Any) -> tuple[Watched, str]:
    engine, pool = getattr(of, "sync_engine", of), getattr(of, "connection_pool", of)
    if hasattr(engine, "pool") and hasattr(engine, "dialect"):
        return SqlalchemyPool(of), "database"
    if hasattr(pool, "get_connection") and hasattr(pool, "max_connections"):
        return RedisPool(pool), "redis"
    raise TypeError(f"watch_pool({type(of).__name__}): a SQLAlchemy engine, a redis client or its connection pool")


def _is_sqlalchemy_timeout(error: BaseException) -> bool:
    return type(error).__name__ == "TimeoutError" and type(error).__module__.startswith("sqlalchemy")
