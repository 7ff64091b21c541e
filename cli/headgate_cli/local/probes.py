"""httpGet probes, with the thresholds, delays and defaults of Kubernetes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from headgate.control.ports import Manifest


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a container; times in seconds. `port` is a number already."""

    host: str
    port: int
    path: str
    delay: float
    period: float
    timeout: float
    successes: int
    failures: int
    grace: int | None

    @classmethod
    def of(cls, container: Manifest, name: str, ip: str) -> Probe | None:
        """The container's `name` probe, or None; a port given by name is looked up in `ports`."""
        given = container.get(name)
        if given is None:
            return None
        http = given["httpGet"]
        ports = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
        return cls(
            host=http.get("host") or ip,
            port=int(ports.get(http["port"], http["port"])),
            path=http.get("path", "/"),
            delay=given.get("initialDelaySeconds", 0),
            period=given.get("periodSeconds", 10),
            timeout=given.get("timeoutSeconds", 1),
            successes=given.get("successThreshold", 1),
            failures=given.get("failureThreshold", 3),
            grace=given.get("terminationGracePeriodSeconds"),
        )

    async def first(self) -> bool:
        """The first answer that reached its threshold."""
        answers: asyncio.Queue[bool] = asyncio.Queue()
        watching = asyncio.create_task(self.watch(answers.put_nowait))
        try:
            return await answers.get()
        finally:
            watching.cancel()

    async def watch(self, tell: Callable[[bool], None]) -> None:
        """Ask for ever; `tell` True or False whenever the threshold of the other answer has been reached."""
        await asyncio.sleep(self.delay)
        told: bool | None = None
        run_of, length = False, 0
        while True:
            answer = await self.ask()
            run_of, length = answer, length + 1 if answer == run_of else 1
            if length >= (self.successes if answer else self.failures) and told != answer:
                told = answer
                tell(answer)
            await asyncio.sleep(self.period)

    async def ask(self) -> bool:
        """One GET; any status from 200 to 399 in time is a success."""
        try:
            async with asyncio.timeout(self.timeout):
                return 200 <= await self._status() < 400
        except (OSError, TimeoutError, ValueError, IndexError):
            return False

    async def _status(self) -> int:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(
                f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close\r\n\r\n".encode()
            )
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()
