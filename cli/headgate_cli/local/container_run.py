"""One run of a container's process: started, probed, its output passed on, ended with TERM, grace and KILL."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.control.ports import Clock, Manifest
from headgate_cli.local.child import Child, start_child
from headgate_cli.local.pod_files import Launch
from headgate_cli.local.probes import Probe

LAST_WORDS_SECONDS = 1.0
"""How long output is still read after the process ended; what it left in other sessions may hold the pipe open."""
LOOK_SECONDS = 0.5
"""How soon a shortened grace is noticed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where Pods run. `environ` is what every process inherits; `say` gets (Pod name, line), output and our own."""

    folder: Path
    cwd: Path
    environ: Mapping[str, str]
    clock: Clock
    say: Callable[[str, str], None]
    first_backoff: float = 1.0
    longest_backoff: float = 30.0


class Ending:
    """The wish that something ends, at the latest at `at` (loop time). May be asked again, with less time."""

    def __init__(self) -> None:
        self.at = float("inf")
        self._asked = asyncio.Event()

    def ask(self, grace: float) -> None:
        self.at = min(self.at, asyncio.get_running_loop().time() + grace)
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  a wait that may also just pass
        """Until asked, or for `timeout` seconds."""
        waiting = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({waiting}, timeout=timeout)
        finally:
            waiting.cancel()


class ContainerRun:
    """`tell` gets (started, ready) whenever one of them changes."""

    def __init__(
        self, pod: Manifest, launch: Launch, ip: str, machine: Machine, tell: Callable[[bool, bool], None]
    ) -> None:
        self._name = str(pod["metadata"]["name"])
        self._container = pod["spec"]["containers"][0]
        self._grace = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
        self._launch = launch
        self._ip = ip
        self._machine = machine
        self._tell = tell
        self._unhealthy = Ending()
        self._child: Child | None = None
        self.complaint = ""
        """Why the process was ended, when a probe did that."""

    def interrupt(self) -> None:
        """SIGINT to the process, if it runs: two of them tell a worker to hand back its jobs now."""
        if self._child and self._child.process.returncode is None:
            self._child.process.send_signal(signal.SIGINT)

    async def run(self, ending: Ending) -> int:
        """Until the process has ended, by itself or because of `ending` or a probe; nothing of its group is left then.

        Answers the exit code, 128 + number for a signal.
        """
        child = await start_child(self._launch.command, env=self._launch.env, cwd=self._machine.cwd)
        self._child = child
        exited = asyncio.ensure_future(child.process.wait())
        output = asyncio.ensure_future(self._pass_on(child))
        health = asyncio.ensure_future(self._watch_health())
        try:
            await self._first_of(exited, ending, self._unhealthy)
            if not exited.done():
                child.process.send_signal(signal.SIGTERM)
                await self._wait_out(exited, ending)
        finally:
            health.cancel()
            child.kill_group()
            code = await exited
            await asyncio.wait({output}, timeout=LAST_WORDS_SECONDS)
            output.cancel()
            child.close()
        return code if code >= 0 else 128 - code

    async def _first_of(self, exited: asyncio.Future[int], *endings: Ending) -> None:
        waits: list[asyncio.Future[None]] = [asyncio.ensure_future(ending.wait()) for ending in endings]
        everything: list[asyncio.Future[Any]] = [exited, *waits]
        try:
            await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_out(self, exited: asyncio.Future[int], ending: Ending) -> None:
        """Return when the process has ended or its grace is over, whatever comes first."""
        now = asyncio.get_running_loop().time
        while not exited.done() and (left := min(ending.at, self._unhealthy.at) - now()) > 0:
            await asyncio.wait({exited}, timeout=min(left, LOOK_SECONDS))

    # ---- output ------------------------------------------------------------------------------------------------------

    async def _pass_on(self, child: Child) -> None:
        async for line in child.lines():
            self._machine.say(self._name, line)

    # ---- health ------------------------------------------------------------------------------------------------------

    async def _watch_health(self) -> None:
        """The startup probe holds back the other two."""
        startup, readiness, liveness = (
            Probe.of(self._container, name, self._ip) for name in ("startupProbe", "readinessProbe", "livenessProbe")
        )
        if startup and not await startup.first():
            self._complain("startup", startup)
            return
        self._tell(True, readiness is None)
        watches = []
        if readiness:
            watches.append(readiness.watch(lambda answer: self._tell(True, answer)))
        if liveness:
            watches.append(liveness.watch(lambda answer: None if answer else self._complain("liveness", liveness)))
        await asyncio.gather(*watches)

    def _complain(self, name: str, probe: Probe) -> None:
        self.complaint = f"{name} probe http://{probe.host}:{probe.port}{probe.path} failed, the process is ended"
        self._unhealthy.ask(self._grace if probe.grace is None else probe.grace)
