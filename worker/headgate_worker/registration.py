"""Each slot as an RQ worker (`rq:worker:<name>`), so that `rq info` and rq-dashboard show what is.

Fields and keys as rq 3.0 writes them (rq/worker/base.py `serialize`, `register_birth`, `register_death`).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from headgate.gates.keys import Keys

TTL_SECONDS = 90
"""RQ's own while a worker is busy; renewed every five seconds."""


class Registration:
    """Raises what the client raises when the store is away; every method may be repeated."""

    def __init__(self, keys: Keys, queue: str, address: str, connect: Callable[[], Any]) -> None:
        self._keys = keys
        self._queue = queue
        self._address = address
        self._connect = connect
        self._birth = _now()
        self._version = version("rq")

    def birth(self, states: Mapping[str, str]) -> None:
        """`states`: worker name -> `idle` or `busy`."""
        keys = self._keys
        with self._connect().pipeline() as pipeline:
            for name, state in states.items():
                key = keys.worker(name)
                pipeline.hset(key, mapping={**self._fields(), "state": state})
                pipeline.hdel(key, "death")
                pipeline.expire(key, TTL_SECONDS)
                pipeline.sadd(keys.workers, key)
                pipeline.sadd(keys.workers_of(self._queue), key)
            pipeline.execute()

    def death(self, names: Iterable[str]) -> None:
        keys = self._keys
        with self._connect().pipeline() as pipeline:
            for name in names:
                key = keys.worker(name)
                pipeline.srem(keys.workers, key)
                pipeline.srem(keys.workers_of(self._queue), key)
                pipeline.hset(key, "death", _now())
                pipeline.expire(key, 60)
                pipeline.delete(keys.worker_executions(name))
            pipeline.execute()

    def state(self, names: Iterable[str], state: str) -> None:
        """`idle` or `suspended`: between jobs the scripts write it."""
        with self._connect().pipeline() as pipeline:
            for name in names:
                pipeline.hset(self._keys.worker(name), "state", state)
            pipeline.execute()

    def stopping(self, names: Iterable[str]) -> None:
        with self._connect().pipeline() as pipeline:
            for name in names:
                pipeline.hset(self._keys.worker(name), "shutdown_requested_date", _now())
            pipeline.execute()

    def _fields(self) -> dict[str, str]:
        return {
            "birth": self._birth,
            "last_heartbeat": _now(),
            "queues": self._queue,
            "pid": str(os.getpid()),
            "hostname": socket.gethostname(),
            "ip_address": self._address,
            "version": self._version,
            "python_version": sys.version,
            "headgate": "slot",  # what `inspect` tells us by: a worker without it passes the gates by
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
