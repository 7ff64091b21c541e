"""Runs of periodic tasks: a run holds a lease, so it never overlaps another, however it was started.

All times are the store's own, in milliseconds. A task's name is `<namespace>/<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from headgate.model.documents import TaskDocument


@dataclass(frozen=True, slots=True)
class Begin:
    """May this run start? `tick`: the time it was scheduled for, None when somebody started it by hand.

    `run` names it (the Job's uid, or anything unique). The same run in the same pod gets the same answer while it holds
    the lease. A run that failed or was lost may begin again, as its retry, however old its tick is by then.
    """

    task: str
    run: str
    pod: str
    tick: int | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """It holds the lease. `fence` grows with every run."""

    fence: int
    revision: int
    document: TaskDocument


@dataclass(frozen=True, slots=True)
class Running:
    """Another run holds the lease: this one is skipped, and its tick is counted once.

    `run` is one's own when an earlier attempt of it, in another pod, may still be alive: wait for its lease to end.
    """

    run: str
    pod: str
    since: int


@dataclass(frozen=True, slots=True)
class Passed:
    """The tick is older than the end of the last run (Skip), or has run already: skipped, and counted once."""

    tick: int


@dataclass(frozen=True, slots=True)
class NoTask:
    """The task is not published: nothing starts."""


@dataclass(frozen=True, slots=True)
class TaskHeld:
    """stopPolicy, or a quarantine until `until` (ms; 0: a person must)."""

    until: int


BeginAnswer = Begun | Running | Passed | NoTask | TaskHeld


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task as it stands; times 0 when there is none. `skipped`: distinct ticks, `skips_in_a_row` since one ran.

    `cycles_with_skips`: runs in a row that each made the schedule skip. `skipped_ticks`: the newest 32.
    """

    name: str
    revision: int
    document: TaskDocument
    running: str = ""
    running_pod: str = ""
    running_since: int = 0
    lease_end: int = 0
    last_tick: int = 0
    last_started: int = 0
    last_ended: int = 0
    last_success: int = 0
    last_outcome: Literal["", "ok", "failed", "lost", "deadline"] = ""
    skipped: int = 0
    skips_in_a_row: int = 0
    last_skipped_tick: int = 0
    cycles_with_skips: int = 0
    skipped_ticks: tuple[int, ...] = ()


class RunGates(Protocol):
    """The verbs for runs. Raises `StoreUnavailable`; `StoreFull` (begin_run only)."""

    def begin_run(self, begin: Begin) -> BeginAnswer: ...

    def renew_run(self, task: str, run: str, fence: int) -> bool:
        """False: the lease was lost, stop."""

    def end_run(self, task: str, run: str, fence: int, outcome: Literal["ok", "failed", "deadline"]) -> bool: ...

    def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        """Count ticks that the CronJob controller did not start; how many were new."""

    def inspect_tasks(self) -> Mapping[str, TaskState]: ...
