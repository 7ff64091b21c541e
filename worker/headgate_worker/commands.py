"""RQ's commands (`rq.command`), which arrive on the channel of the worker that RQ thinks of: one of our slots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate_worker import logs
from headgate_worker.cells import Held, Phase
from headgate_worker.loop import Loop
from headgate_worker.slots import Slot, Slots, Why

LOOK_SECONDS = 0.05
TRIES = 4


@dataclass(slots=True)
class Commands:
    """`shutdown` drains the whole worker, as a first Ctrl-C does."""

    slots: Slots
    loop: Loop
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
        self._kill("kill-horse", worker, "kill-horse", lambda slot, _held: slot.name == worker)

    def _stop(self, name: str, command: dict[str, Any]) -> None:
        """All slots are looked through: RQ itself only finds the first job of a worker."""
        if name == "stop-job":
            wanted = command.get("job_id")
            self._kill(name, wanted, "stop", lambda _slot, held: held.job_id == wanted)
        else:
            wanted = command.get("execution_id")
            self._kill(name, wanted, "stop", lambda _slot, held: held.execution == wanted)

    def _kill(
        self, name: str, wanted: Any, why: Why, matches: Callable[[Slot, Held], bool], tries: int = TRIES
    ) -> None:
        """Kill the slot whose running job matches. A job that was granted this instant is found by a second look."""
        for slot in self.slots.alive():
            held = slot.held()
            if held is not None and held.phase is Phase.RUNNING and matches(slot, held):
                logs.get().warning("a job is stopped on command", command=name, slot=slot.name, id=held.job_id)
                self.slots.kill(slot, why, held.execution)
                return
        if tries:
            self.loop.after(LOOK_SECONDS, lambda: self._kill(name, wanted, why, matches, tries - 1))
        else:
            logs.get().warning("command ignored: nothing like that runs here", command=name, wanted=wanted)
