"""One Pod from its first sight to its end: preparation, restarts with back-off, and the status it reports."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from math import inf
from typing import Literal, Protocol

from headgate.control.ports import Manifest
from headgate.errors import ClusterError, Conflict, InvalidInput, Rejected
from headgate_cli.local import supported
from headgate_cli.local.addresses import free_address
from headgate_cli.local.child import CANNOT_START
from headgate_cli.local.container_run import ContainerRun, Ending, Machine
from headgate_cli.local.pod_files import DataSource, Launch, NotThereYet, prepare
from headgate_cli.local.pod_status import ContainerState, Ended, pod_status

GOOD_RUN_SECONDS = 60.0
"""A run of this length clears the back-off."""
LAST_WORDS_SECONDS = 20.0
"""How long an ended Pod tries to say so. Later the kubelet finds it again, sees no process, and tries anew."""
RETRY_SECONDS = 1.0
"""How long after the cluster failed, or something that the Pod needs was missing, it is tried again."""


class PodReports(DataSource, Protocol):
    """What a Pod's run tells the cluster and reads from it. Raises ClusterError when the cluster does not answer."""

    async def report(self, pod: Manifest, status: Manifest) -> None:
        """Write the status of exactly this Pod; one that is gone is fine."""

    async def remove(self, pod: Manifest) -> None:
        """Delete the Pod for good (no grace left): its processes have ended. Gone already is fine."""

    async def event(self, pod: Manifest, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Post an Event about the Pod."""


class PodRun:
    """`run` it once; `end` may be called at any time, and again with less grace."""

    def __init__(self, pod: Manifest, reports: PodReports, machine: Machine) -> None:
        self.pod = pod
        self.name = str(pod["metadata"]["name"])
        self.grace = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
        """Seconds between TERM and KILL, as the Pod wants it."""
        self._reports = reports
        self._machine = machine
        self._ip = ""
        self._folder = machine.folder / str(pod["metadata"]["uid"])[:13]
        self._ending = Ending()
        self._current: ContainerRun | None = None
        self._state = ContainerState()
        self._status: Manifest = {}
        self._changed = asyncio.Event()

    @property
    def ending(self) -> bool:
        return self._ending.asked

    def end(self, grace: float) -> None:
        """TERM now, KILL after `grace` seconds."""
        self._ending.ask(grace)

    def interrupt(self) -> None:
        if self._current:
            self._current.interrupt()

    async def run(self) -> None:
        """Until the Pod was asked to end: then its last status is reported and it is removed."""
        self._changed.set()
        reporting = asyncio.ensure_future(self._report_changes())
        try:
            launch = await self._prepare()
            if launch:
                await self._keep_running(launch)
            await self._ending.wait()
        finally:
            reporting.cancel()
            shutil.rmtree(self._folder, ignore_errors=True)
        await self._insist(self._report, LAST_WORDS_SECONDS)
        await self._insist(lambda: self._reports.remove(self.pod), LAST_WORDS_SECONDS)

    async def _prepare(self) -> Launch | None:
        """None when this Pod cannot run here, or was asked to end before it could."""
        container = self.pod["spec"]["containers"][0]
        while not self.ending:
            try:
                supported.check(self.pod)
                self._ip = self._ip or free_address(port["containerPort"] for port in container.get("ports", []))
                return await prepare(self.pod, self._ip, self._folder, self._machine.environ, self._reports)
            except InvalidInput as error:
                await self._wait_because("UnsupportedField", str(error))
                return None
            except NotThereYet as error:
                await self._wait_because("CreateContainerConfigError", str(error))
            except ClusterError as error:
                self._machine.say(self.name, str(error))
            await self._ending.wait(RETRY_SECONDS)
        return None

    async def _keep_running(self, launch: Launch) -> None:
        backoff = 0.0
        while not self.ending:
            began = asyncio.get_running_loop().time()
            ended = await self._run_once(launch)
            if self.ending or self.pod["spec"].get("restartPolicy") == "Never":
                break
            if asyncio.get_running_loop().time() - began >= GOOD_RUN_SECONDS:
                backoff = 0.0
            message = (
                f"ended with exit code {ended.exit_code}, starts again {f'in {backoff:g} s' if backoff else 'at once'}"
            )
            await self._wait_because("CrashLoopBackOff", message)
            await self._ending.wait(backoff)
            backoff = min(max(backoff * 2, self._machine.first_backoff), self._machine.longest_backoff)
            self._state.restarts += 1
        self._state.ended, self._state.waiting = self._state.last, None
        self._changed.set()

    async def _run_once(self, launch: Launch) -> Ended:
        started_at = self._machine.clock.now()
        run = ContainerRun(self.pod, launch, self._ip, self._machine, self._see_health)
        self._state.started_at, self._state.waiting = started_at, None
        self._changed.set()
        self._current = run
        try:
            code = await run.run(self._ending)
        except OSError as error:  # no process could be started: too many of them, or the folder is gone
            self._machine.say(self.name, f"cannot be started: {error}")
            code = CANNOT_START
        if run.complaint:
            await self._tell("Unhealthy", run.complaint)
        ended = Ended(code, started_at, self._machine.clock.now())
        self._state.last, self._state.started_at = ended, None
        self._see_health(False, False)
        return ended

    # ---- telling -----------------------------------------------------------------------------------------------------

    def _see_health(self, started: bool, ready: bool) -> None:
        self._state.started, self._state.ready = started, ready
        self._changed.set()

    async def _wait_because(self, reason: str, message: str) -> None:
        if self._state.waiting != (reason, message):
            self._state.waiting = (reason, message)
            self._changed.set()
            await self._tell(reason, message)

    async def _tell(self, reason: str, message: str) -> None:
        """To the person at the terminal, and as an Event."""
        self._machine.say(self.name, message)
        try:
            await self._reports.event(self.pod, "Warning", reason, message)
        except ClusterError as error:
            self._machine.say(self.name, str(error))

    async def _report_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._insist(self._report)

    async def _report(self) -> None:
        status = pod_status(self.pod, self._state, self._ip, self._machine.clock.now(), self._status)
        if status != self._status:
            await self._reports.report(self.pod, status)
            self._status = status

    async def _insist(self, write: Callable[[], Awaitable[None]], seconds: float = inf) -> None:
        """Try until the cluster has it: a Pod runs on while the API server is away. Give up what it rejects."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                return await write()
            except Conflict:
                continue
            except ClusterError as error:
                self._machine.say(self.name, str(error))
                if isinstance(error, Rejected) or asyncio.get_running_loop().time() > until:
                    return None
                await asyncio.sleep(RETRY_SECONDS)
