"""redis-py clients for RQ's own code and for the operator, with timeouts that a worker can live with."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import redis
import redis.asyncio

CONNECT_SECONDS = 3.0
REPLY_SECONDS = 5.0
"""Well under a third of a lease, and long enough for RQ's largest pipelines."""
BACKOFF_LIMIT_SECONDS = 5.0
UNREACHABLE = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
"""What these clients raise when the store does not answer; RQ's own code passes it on."""
FAULTS = (redis.exceptions.RedisError,)
"""These and what they raise when it answers READONLY, LOADING or OOM."""


def _settings() -> dict[str, Any]:
    keepalive = {}
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            keepalive[getattr(socket, name)] = value
    return {
        "decode_responses": False,
        "protocol": 2,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": REPLY_SECONDS,
        "socket_keepalive": True,
        "socket_keepalive_options": keepalive,
        "health_check_interval": 0,
        "driver_info": None,  # looking its version up parses package metadata: 2 MB in every slot
    }


def _for_url(url: str) -> dict[str, Any]:
    settings = _settings()
    if url.startswith("unix:"):  # a unix socket knows no TCP options
        del settings["socket_keepalive"], settings["socket_keepalive_options"]
    return settings


def connect(url: str) -> redis.Redis:
    """A client for RQ's own code. Connects at the first command, anew (with fresh DNS) after each failure."""
    return redis.Redis.from_url(url, **_for_url(url))


def connect_async(url: str) -> redis.asyncio.Redis:
    """The same for asyncio."""
    return redis.asyncio.Redis.from_url(url, **_for_url(url))


def backoff(limit: float = BACKOFF_LIMIT_SECONDS) -> Iterator[float]:
    """Endless waits in seconds between reconnects: doubling from 0.1 to `limit`, each somewhere in its upper half."""
    step = 0.1
    while True:
        yield random.uniform(step / 2, step)  # noqa: S311
        step = min(step * 2, limit)
