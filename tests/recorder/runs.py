"""From start and end lines to runs: the intervals in which user code of a job was executing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.recorder.history import Event, Kind, Malformed

KILLED = "killed"
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a job's code. `ended` in ns; outcome: ok, failed, limited, `killed` or `open`.

    A killed run ends when its process was killed. An open one has no end on record: it counts as running until the
    last event of the history, which can only make an overlap look larger than it was. `fault`: its process was killed
    or frozen during it, or after it and before anything else started there, when its success may not have been stored.
    """

    job: str
    queue: str
    key: str
    pid: int
    started: int
    ended: int
    outcome: str
    fault: bool = False


class _Processes:
    """What each process is running, and what it ran last."""

    def __init__(self) -> None:
        self.open: dict[int, Run] = {}
        self.last: dict[int, Run] = {}
        self.closed: list[Run] = []

    def start(self, event: Event) -> None:
        if event.pid in self.open:
            raise Malformed(f"process {event.pid} starts {event.job} while it runs {self.open[event.pid].job}")
        self._settle(event.pid)
        self.open[event.pid] = Run(event.job, event.queue, event.key, event.pid, event.at, event.at, OPEN)

    def end(self, event: Event) -> None:
        run = self.open.pop(event.pid, None)
        if run is None or run.job != event.job:
            raise Malformed(f"process {event.pid} ends {event.job}, which it did not start")
        self.last[event.pid] = replace(run, ended=event.at, outcome=event.note)

    def fault(self, event: Event) -> None:
        where = self.open if event.pid in self.open else self.last
        if event.pid in where:
            where[event.pid] = replace(where[event.pid], fault=True)
        if event.kind is Kind.KILLED and event.pid in self.open:
            self.last[event.pid] = replace(self.open.pop(event.pid), ended=event.at, outcome=KILLED)

    def _settle(self, pid: int) -> None:
        if pid in self.last:
            self.closed.append(self.last.pop(pid))

    def all(self, horizon: int) -> list[Run]:
        left = [replace(run, ended=horizon) for run in self.open.values()]
        return [*self.closed, *self.last.values(), *left]


def runs(events: Iterable[Event]) -> list[Run]:
    """Every run of the history in the order of their starts. A process runs one job at a time."""
    processes = _Processes()
    horizon = 0
    for event in events:
        horizon = max(horizon, event.at)
        if event.kind is Kind.START:
            processes.start(event)
        elif event.kind is Kind.END:
            processes.end(event)
        elif event.kind in (Kind.KILLED, Kind.FROZEN):
            processes.fault(event)
    return sorted(processes.all(horizon), key=lambda run: run.started)
