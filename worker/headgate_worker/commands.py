"""RQ's commands (`rq.command`), which arrive on the channel of the worker that RQ thinks of: one of our slots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate_worker import logs
from headgate_worker.cells import Held, Phase
from headgate_worker.slots import Slot, Slots


@dataclass(slots=True)
class Commands:
    """`shutdown` drains the whole worker, as a first Ctrl-C does."""

    slots: Slots
    prefix: str
    shutdown: Callable[[], None]

    def received(self, channel: str, payload: bytes) -> None:
        """Anything that is no command of RQ's is a log line, never an error."""
        try:
            command = json.loads(payload)
            name = command["command"]
        except (ValueError, KeyError, TypeError):
            logs.get().warning("not a command of RQ's", channel=channel)
            return
        if name == "shutdown":
            logs.get().info("RQ's shutdown command: draining")
            self.shutdown()
        elif name == "kill-horse":
            self._kill_horse(channel.removeprefix(f"{self.prefix}:pubsub:"))
        elif name in ("stop-job", "stop-execution"):
            self._stop(name, command)
        else:
            logs.get().warning("unknown command", command=str(name))

    def _kill_horse(self, worker: str) -> None:
        for slot in self.slots.alive():
            held = slot.held()
            if slot.name == worker and held is not None and held.phase is Phase.RUNNING:
                logs.get().warning("RQ's kill-horse command", slot=slot.name, id=held.job_id)
                self.slots.kill(slot, "kill-horse", held.execution)
                return
        logs.get().info("kill-horse ignored: no job runs there", worker=worker)

    def _stop(self, name: str, command: dict[str, Any]) -> None:
        """All slots are looked through: RQ itself only finds the first job of a worker."""
        wanted = command.get("job_id") if name == "stop-job" else command.get("execution_id")
        for slot, held in self._running():
            if wanted and wanted == (held.job_id if name == "stop-job" else held.execution):
                logs.get().warning("stopping a job on command", slot=slot.name, id=held.job_id)
                self.slots.kill(slot, "stop", held.execution)
                return
        logs.get().warning("stop command ignored: not running here", command=name, id=wanted)

    def _running(self) -> list[tuple[Slot, Held]]:
        found = [(slot, slot.held()) for slot in self.slots.alive()]
        return [(slot, held) for slot, held in found if held is not None and held.phase is Phase.RUNNING]
