"""A program that runs beside the workers, such as a producer: started with the store's address, stopped at the end."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from headgate.errors import InvalidInput
from headgate_cli.local.child import Child, start_child

STOP_SECONDS = 5.0


class Companion:
    """`command` as a shell would split it. Its end is told, and is no reason to stop the rest."""

    def __init__(self, command: str, env: Mapping[str, str], cwd: Path, say: Callable[[str, str], None]) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise InvalidInput(f"--run {command}: {error}") from error
        if not self._words or not shutil.which(self._words[0], path=env.get("PATH")):
            raise InvalidInput(f"--run {command}: there is no program {self._words[0] if self._words else '(empty)'}")
        self._env, self._cwd, self._say = env, cwd, say
        self._child: Child | None = None
        self._stopping = False

    async def run(self) -> None:
        """Until it ends by itself, or is stopped; every line of it is passed on."""
        self._child = child = await start_child(self._words, env=self._env, cwd=self._cwd)
        listening = asyncio.ensure_future(self._listen(child))
        try:
            code = await child.process.wait()
        finally:
            child.kill_group()
            await asyncio.wait({listening}, timeout=1)
            listening.cancel()
            child.close()
        if not self._stopping:
            self._say("run", f"{self._words[0]} ended with exit code {code}")

    async def stop(self) -> None:
        """TERM, and after 5 s KILL."""
        self._stopping = True
        if self._child and self._child.process.returncode is None:
            with suppress(ProcessLookupError):
                self._child.process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.process.wait(), STOP_SECONDS)
            self._child.kill_group()

    async def _listen(self, child: Child) -> None:
        async for line in child.lines():
            self._say("run", line)
