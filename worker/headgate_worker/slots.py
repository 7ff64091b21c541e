"""The table of slots: as many processes as the policy says, grown at once, shrunk only between jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from headgate_worker import logs, processes
from headgate_worker.cells import MOST_SLOTS, Cell, Cells, Held, Phase, Word
from headgate_worker.channel import Channel, Message
from headgate_worker.loop import Loop
from headgate_worker.nursery import Nursery

Why = Literal["timeout", "stop", "kill-horse", "drain", "cutoff", "gone"]
STEADY_SECONDS = 10.0
"""A slot that lived this long is started again at once when it dies; one that did not waits longer each time."""
LONGEST_PAUSE = 5.0


class State(Enum):
    WANTED = "wanted"
    STARTING = "starting"
    UP = "up"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Kill:
    """Why the supervisor killed a slot, and the execution it meant: by then the slot may have run another."""

    why: Why
    execution: str


@dataclass(slots=True)
class Slot:
    """One place of the table. `name` is its RQ worker name, the same for every process that fills the place."""

    index: int
    name: str
    cell: Cell
    state: State = State.WANTED
    pid: int = 0
    channel: Channel | None = None
    kill: Kill | None = None
    nudged: str = ""
    born: float = 0.0
    deaths: int = 0
    waiting: Message | None = None
    leaving: bool = False
    prefix: str = ""

    def nonce(self, claims: int) -> str | None:
        """Of its claim number `claims`, None while it has not said its prefix."""
        return f"{self.prefix}{claims:016x}" if self.prefix and claims else None

    def held(self) -> Held | None:
        """What it runs, None when nothing."""
        if self.cell.phase < Phase.ASKING:
            return None
        return self.cell.read()


@dataclass(slots=True)
class Hooks:
    """What the rest of the supervisor wants to know of slots."""

    message: Callable[[Slot, Message], None] = lambda _slot, _message: None
    died: Callable[[Slot, int | None], None] = lambda _slot, _status: None
    came: Callable[[Slot], None] = lambda _slot: None
    left: Callable[[Slot], None] = lambda _slot: None


@dataclass(slots=True)
class Slots:
    instance: str
    cells: Cells
    nursery: Nursery
    loop: Loop
    hooks: Hooks = field(default_factory=Hooks)
    wanted: int = 0
    closing: bool = False
    _table: dict[int, Slot] = field(default_factory=dict)
    _early: dict[int, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._table.values()))

    def __len__(self) -> int:
        return len(self._table)

    def alive(self) -> list[Slot]:
        return [slot for slot in self if slot.state is State.UP]

    def busy(self) -> list[Slot]:
        return [slot for slot in self.alive() if slot.held() is not None]

    def resize(self, wanted: int) -> None:
        """Grow at once; what is too much leaves when it has no job, highest place first."""
        self.wanted = min(wanted, MOST_SLOTS)
        for index in range(self.wanted):
            slot = self._table.get(index)
            if slot is None:
                slot = self._table[index] = Slot(index, f"{self.instance}.{index}", self.cells.slot(index))
                self.hooks.came(slot)
                self._fork(slot)
            elif slot.leaving:
                self._keep(slot)
        for slot in self:
            if slot.index >= self.wanted:
                self.retire(slot)

    def retire(self, slot: Slot) -> None:
        """It leaves at its next job boundary, at once when it waits. A place that is still wanted is filled again."""
        slot.leaving = True
        slot.cell.words[Word.QUIT] = 1
        if slot.state is State.WANTED:
            self._remove(slot)
        else:
            self.tell(slot)

    def tell(self, slot: Slot) -> None:
        """Wake a slot that waits."""
        if slot.channel is not None:
            slot.waiting = None
            slot.channel.send({"t": "go"})

    def kill(self, slot: Slot, why: Why, execution: str) -> None:
        if slot.pid and slot.kill is None:
            slot.kill = Kill(why, execution)
            processes.kill_group(slot.pid)

    def fill(self) -> None:
        """Ask for every process that is missing: at first, and when a new template is ready."""
        for slot in self:
            if slot.state in (State.WANTED, State.STARTING) and not slot.pid:
                slot.state = State.WANTED
                self._fork(slot)

    def exited(self, pid: int, status: int | None) -> None:
        """A child of ours ended. One that ended before the template told its pid is kept for then."""
        for slot in self:
            if slot.pid == pid:
                self._died(slot, status)
                return
        self._early[pid] = status or 0
        if len(self._early) > MOST_SLOTS:
            self._early.pop(next(iter(self._early)))

    def _fork(self, slot: Slot) -> None:
        if self.closing or slot.state is not State.WANTED:
            return
        slot.cell.erase()
        request = {"role": "slot", "key": slot.name, "name": slot.name, "index": slot.index, "instance": self.instance}
        channel = self.nursery.fork(request, lambda pid: self.born(slot, pid))
        if channel is None:
            return
        if slot.channel is not None:  # of a child that its template died with: it ends when it looks
            self.loop.forget(slot.channel)
            slot.channel.close()
        slot.state, slot.channel, slot.kill, slot.leaving, slot.waiting = State.STARTING, channel, None, False, None
        slot.pid, slot.prefix = 0, ""
        self.loop.watch(channel, lambda: self._read(slot, channel))

    def born(self, slot: Slot, pid: int) -> None:
        """The template says its pid, and so does the child itself, should the template die in between."""
        if slot.state is not State.STARTING:
            return
        slot.pid, slot.born = pid, time.monotonic()
        slot.state = State.UP
        if pid in self._early:
            self._died(slot, self._early.pop(pid))

    def _read(self, slot: Slot, channel: Channel) -> None:
        for message in channel.receive():
            self.hooks.message(slot, message)
        if channel.closed:
            self.loop.forget(channel)
            if slot.pid and not processes.ADOPTED:  # no exit status will come
                self._died(slot, None)
            elif slot.pid:
                processes.kill_group(slot.pid)  # its exit follows; without a channel it is of no use

    def _died(self, slot: Slot, status: int | None) -> None:
        channel, lived = slot.channel, time.monotonic() - slot.born
        if channel is not None:
            for message in channel.receive():
                self.hooks.message(slot, message)
            self.loop.forget(channel)
            channel.close()
        processes.kill_group(slot.pid)  # what the job started and left behind
        self.hooks.died(slot, status)
        expected = slot.leaving or slot.kill is not None
        slot.pid, slot.channel, slot.state, slot.waiting, slot.nudged = 0, None, State.GONE, None, ""
        slot.deaths = 0 if expected or lived > STEADY_SECONDS else slot.deaths + 1
        if self.closing or slot.index >= self.wanted:
            self._remove(slot)
            return
        slot.state = State.WANTED
        pause = 0.0 if slot.deaths < 2 else min(0.1 * 2 ** (slot.deaths - 2), LONGEST_PAUSE)
        if pause:
            logs.get().warning("a slot dies again and again", slot=slot.name, deaths=slot.deaths, pause=pause)
            self.loop.after(pause, lambda: self._fork(slot))
        else:
            self._fork(slot)

    def _keep(self, slot: Slot) -> None:
        """Wanted again before it left."""
        slot.leaving = False
        slot.cell.words[Word.QUIT] = 0

    def _remove(self, slot: Slot) -> None:
        slot.cell.erase()
        if self._table.pop(slot.index, None) is not None:
            self.hooks.left(slot)
