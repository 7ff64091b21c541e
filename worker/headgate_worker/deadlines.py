"""Jobs that outlive their timeout: once a second their cells are looked at, from outside of their process."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from headgate_worker import logs
from headgate_worker.cells import Phase
from headgate_worker.slots import Slots
from headgate_worker.timeouts import SECOND

SCAN_SECONDS = 1.0
NUDGE_NS = SECOND
"""A job this much over its timeout is sent SIGALRM once more: its code may have used the alarm for itself."""


@dataclass(slots=True)
class Deadlines:
    slots: Slots
    killed: int = 0

    def scan(self) -> None:
        now = time.monotonic_ns()
        for slot in self.slots.alive():
            held = slot.held()
            if held is None or held.phase not in (Phase.RUNNING, Phase.SEALED):
                continue
            if held.hard_ns and now > held.hard_ns:
                self.killed += 1
                seconds = round((now - held.started_ns) / SECOND, 1)
                what = "a job ignores its timeout" if held.phase is Phase.RUNNING else "a job's ending takes for ever"
                logs.get().error(f"{what}, its process is killed", id=held.job_id, seconds=seconds)
                self.slots.kill(slot, "timeout", held.execution)
            elif (
                held.phase is Phase.RUNNING
                and held.soft_ns
                and now > held.soft_ns + NUDGE_NS
                and slot.nudged != held.execution
            ):
                slot.nudged = held.execution
                with suppress(ProcessLookupError):
                    os.kill(slot.pid, signal.SIGALRM)
