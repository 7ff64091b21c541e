"""What the reference keeps of one periodic task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from headgate.model.documents import TaskDocument

KNOWN_TICKS = 128
SHOWN_TICKS = 32


@dataclass(slots=True)
class Run:
    """One run that began. Times are ms."""

    run: str
    fence: int
    pod: str
    since: int
    lease_end: int


@dataclass(slots=True)
class Task:
    """`document` None: it was unpublished while a run was under way, and that is all that is left, until `expires`.

    `ticks`: (tick, `r` ran or `s` skipped), the newest 128. `cycles`: runs in a row after which ticks were skipped.
    """

    document: TaskDocument | None = None
    revision: int = 0
    expires: int | None = None
    current: Run | None = None
    last_run: str = ""
    last_fence: int = 0
    last_tick: int = 0
    last_started: int = 0
    last_ended: int = 0
    last_success: int = 0
    last_outcome: Literal["", "ok", "failed", "lost", "deadline"] = ""
    last_skip: int = 0
    skipped: int = 0
    in_a_row: int = 0
    cycles: int = 0
    ticks: list[tuple[int, str]] = field(default_factory=list)

    def live(self, now: int) -> Run | None:
        """The run that holds the lease."""
        return self.current if self.current and self.current.lease_end > now else None

    def end(self, outcome: Literal["ok", "failed", "lost", "deadline"], at: int) -> None:
        if self.current is None:
            return
        self.last_run, self.last_fence, self.last_started = self.current.run, self.current.fence, self.current.since
        self.last_ended, self.last_outcome, self.current = at, outcome, None
        if outcome == "ok":
            self.last_success = at

    def skip(self, tick: int) -> bool:
        """Count a tick that did not run, once. Whether it was new."""
        known = {(tick, letter) in self.ticks for letter in "rs"}
        full = len(self.ticks) == KNOWN_TICKS
        if True in known or (full and tick < self.ticks[0][0]):
            return False
        self._settle(tick, "s")
        self.skipped += 1
        self.in_a_row += 1
        self.last_skip = max(self.last_skip, tick)
        return True

    def ran(self, tick: int) -> None:
        """It did run, after all, when it was skipped before."""
        if (tick, "s") in self.ticks:
            self.ticks.remove((tick, "s"))
            self.skipped -= 1
        self._settle(tick, "r")
        self.last_tick = max(self.last_tick, tick)

    def _settle(self, tick: int, letter: str) -> None:
        if (tick, letter) not in self.ticks:
            self.ticks.append((tick, letter))
        self.ticks = sorted(self.ticks)[-KNOWN_TICKS:]


def publish(tasks: dict[str, Task], document: TaskDocument, revision: int) -> None:
    """What runs goes on, and is still in the way of the next run."""
    task = tasks.setdefault(document.name, Task())
    task.document, task.revision, task.expires = document, revision, None


def unpublish(tasks: dict[str, Task], name: str, now: int) -> None:
    """A run that is under way keeps its lease; the rest goes."""
    current = tasks.pop(name).live(now) if name in tasks else None
    if current:
        tasks[name] = Task(current=current, expires=current.lease_end)


def expire(tasks: dict[str, Task], now: int) -> None:
    for name in [name for name, task in tasks.items() if task.expires is not None and task.expires <= now]:
        del tasks[name]


def set_back(tasks: dict[str, Task], now: int, most: int) -> None:
    """The clock was set back: leases end within `most` ms, and nothing ended in what is the future now."""
    for task in tasks.values():
        if task.current:
            task.current.lease_end = min(task.current.lease_end, now + most)
        task.last_ended = min(task.last_ended, now)
