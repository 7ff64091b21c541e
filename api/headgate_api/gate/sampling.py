"""What this process uses and how long its admin pages take, said to the store each minute for `headgate report`."""

from __future__ import annotations

import logging
import os
import socket
import time

from headgate.errors import HeadgateError
from headgate.gates.http_door import HttpDoor
from headgate.gates.samples import EVERY_SECONDS
from headgate.model.documents import HttpRule
from headgate.sampling import Sampler

ADMIN = "admin"
"""Requests that match a rule whose name begins so are measured."""

logger = logging.getLogger("headgate.gate")
_measured_by: set[int] = set()
"""Pids of this process in which a surface measures it already: a second one would count it twice."""


def watched(surface: str, rules: list[HttpRule]) -> tuple[str, ...]:
    """The series of requests that match these rules."""
    return tuple(f"{surface}/{rule.name}" for rule in rules if rule.name.startswith(ADMIN))


class Sampling:
    """Of one surface in one process."""

    def __init__(self, surface: str, instance: str, pod: str) -> None:
        self._sampler = Sampler(instance, "api", pod, socket.gethostname(), surface, time.monotonic())
        self.latencies = self._sampler.latencies
        self._measures = 0
        self._due: float | None = None

    async def look(self, door: HttpDoor) -> None:
        """Each minute, the first time at the second look. A minute in which the store is away is left out."""
        now = time.monotonic()
        if self._due is None:
            self._due = now
        elif now >= self._due:
            self._due = now + EVERY_SECONDS
            await self._record(door)

    async def goodbye(self, door: HttpDoor) -> None:
        await self._record(door, goodbye=True)

    async def _record(self, door: HttpDoor, *, goodbye: bool = False) -> None:
        try:
            await door.record_sample(self._sampler.take(self._pids(), time.monotonic(), goodbye=goodbye))
        except HeadgateError as fault:
            logger.debug("No sample recorded: %s", fault)

    def _pids(self) -> list[int]:
        pid = os.getpid()
        mine = self._measures == pid
        if not mine and pid not in _measured_by:
            _measured_by.clear()
            _measured_by.add(pid)
            self._measures, mine = pid, True
        return [pid] if mine else []
