"""The API and the dashboard on this machine: `headgate-api` as a child, with a token that lives as long as it does."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from headgate_api.tokens import new_token
from headgate_cli.local.child import Child, start_child

HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
_OWN = ("HEADGATE_STORE_URL_FILE", "HEADGATE_SURFACE", "HEADGATE_POD_NAME")
"""Settings of another place that a child would inherit."""


@asynccontextmanager
async def local_api(
    port: int, url: str, environ: Mapping[str, str], folder: Path, say: Callable[[str, str], None]
) -> AsyncIterator[None]:
    """Serve until the end of the block; says where, once it answers. Its end is told, and is no reason to stop."""
    token, line = new_token("operate", "up")
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(line + "\n")
    port = _free(port)
    child = await start_child(
        [sys.executable, "-m", "headgate_api.main"], env=_environ(environ, url, tokens, port), cwd=folder
    )
    watching = [asyncio.ensure_future(_listen(child, say)), asyncio.ensure_future(_announce(child, port, token, say))]
    try:
        yield
    finally:
        await _stop(child)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        child.close()


def _environ(environ: Mapping[str, str], url: str, tokens: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _OWN}
    own = {"HEADGATE_TOKENS_FILE": str(tokens), "HEADGATE_STORE_URL": url, "HEADGATE_LOG_LEVEL": "warning"}
    return {**kept, **own, "HEADGATE_HOST": HOST, "HEADGATE_PORT": str(port)}


def _free(port: int) -> int:
    """That port, or any other when somebody has it."""
    for wanted in (port, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, wanted))
            return int(probe.getsockname()[1])
    return port


async def _announce(child: Child, port: int, token: str, say: Callable[[str, str], None]) -> None:
    end = asyncio.get_running_loop().time() + START_SECONDS
    while child.process.returncode is None and asyncio.get_running_loop().time() < end:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.close()
            say("", f"dashboard: http://{HOST}:{port}/#token={token}")
            return
        await asyncio.sleep(0.1)
    say("", "the dashboard did not start")


async def _listen(child: Child, say: Callable[[str, str], None]) -> None:
    async for line in child.lines():
        say("api", line)


async def _stop(child: Child) -> None:
    """TERM, and after 5 s KILL: pages that are open do not keep it."""
    if child.process.returncode is None:
        with suppress(ProcessLookupError):
            child.process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.process.wait(), STOP_SECONDS)
    child.kill_group()
