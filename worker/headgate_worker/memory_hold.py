"""Short of memory: what runs goes on, and only as many start as fit. `workers.memory` of the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.model.documents import MemoryDocument
from headgate_worker import logs
from headgate_worker.cells import Word
from headgate_worker.cgroup import Memory
from headgate_worker.processes import rss_bytes
from headgate_worker.slots import Slot, Slots, State

LOOK_SECONDS = 0.5
"""What a start takes shows at the next look."""
FADING = 0.999
"""Each look, what the largest job took counts for so much less: half after six minutes."""
MIB = 1 << 20


@dataclass(slots=True)
class MemoryHold:
    """`look` often. `read` tells the pod's memory, None when it has no limit; `base` the size of a slot without a job.

    Below the mark, besides those that run as many slots may start as fit if each grows like the largest did lately: one
    at least, and no more before a job has ended. Above it none may, and slots that wait are replaced, the largest
    first: what their jobs left behind is given back. If that does not help and nothing runs, one job at a time may
    start, or the queue would stand still for ever. `changed`: a hold began or ended.
    """

    slots: Slots
    read: Callable[[], Memory | None]
    base: Callable[[], int]
    changed: Callable[[], None]
    thresholds: MemoryDocument | None = None
    held: bool = False
    memory: Memory | None = None
    replaced: int = 0
    _growth: float = 0.0
    _renewed: set[int] = field(default_factory=set)
    _said: bool = False

    def policy_changed(self, thresholds: MemoryDocument | None) -> None:
        self.thresholds = thresholds
        self.look()

    def look(self) -> None:
        self.memory = self.read() if self.thresholds else None
        if self.thresholds is None or self.memory is None:
            self._nothing_to_hold()
            return
        self._learn()
        if self.memory.percent >= self.thresholds.hold_above_percent:
            self._begin(self.memory)
        elif self.memory.percent < self.thresholds.resume_below_percent:
            self._end()
        if self.held:
            idle = [slot for slot in self.slots if _waits(slot)]
            self._let_start(idle[: self._make_room(idle)])
        else:
            room = self.memory.limit * self.thresholds.hold_above_percent / 100 - self.memory.used
            running = [slot for slot in self.slots if slot.state is State.UP and slot.waiting is None]
            others = [slot for slot in self.slots if slot not in running]
            self._let_start([*running, *_freed_first(others)[: self._fit(room)]])

    def _learn(self) -> None:
        base = self.base()
        self._growth = max([rss_bytes(slot.pid) - base for slot in self.slots] + [self._growth * FADING])

    def _fit(self, room: float) -> int:
        ended = sum(slot.cell.words[Word.GRANTED] for slot in self.slots) > len(self.slots.busy())
        return max(1, int(room / max(self._growth, MIB))) if ended else 1

    def _nothing_to_hold(self) -> None:
        if self.thresholds and not self._said:
            self._said = True
            logs.get().warning(
                "workers.memory holds nothing: the pod has no memory limit, set resources.limits.memory of its worker"
            )
        self._end()
        self._let_start(list(self.slots))

    def _begin(self, memory: Memory) -> None:
        if not self.held:
            self.held = True
            self._renewed.clear()
            logs.get().warning("short of memory: nothing new starts", **self._figures(memory))
            self.changed()

    def _end(self) -> None:
        if self.held:
            self.held = False
            figures = self._figures(self.memory) if self.memory else {}
            logs.get().info("enough memory again: jobs start", **figures)
            self.changed()

    def _make_room(self, idle: list[Slot]) -> int:
        """One slot after the other, so that what each gave back is seen first. How many may start meanwhile."""
        if any(slot.state is not State.UP or slot.leaving for slot in self.slots):
            return 0
        old = [slot for slot in idle if slot.index not in self._renewed]
        if not old:
            return 1 if len(idle) == len(self.slots) else 0
        slot = max(old, key=lambda one: rss_bytes(one.pid))
        self._renewed.add(slot.index)
        self.replaced += 1
        logs.get().info("a slot that waits is replaced", slot=slot.name, rss=f"{rss_bytes(slot.pid) // MIB}MiB")
        self.slots.retire(slot)
        return 0

    def _let_start(self, free: list[Slot]) -> None:
        for slot in self.slots:
            was, hold = slot.cell.words[Word.HOLD], int(slot not in free)
            slot.cell.words[Word.HOLD] = hold
            if was and not hold and _waits(slot):
                self.slots.tell(slot)

    def _figures(self, memory: Memory) -> dict[str, object]:
        return {
            "used": f"{memory.used // MIB}MiB",
            "limit": f"{memory.limit // MIB}MiB",
            "percent": round(memory.percent),
            "running": len(self.slots.busy()),
        }


def _waits(slot: Slot) -> bool:
    """For memory or for work; who waits for the store is told by others."""
    return slot.waiting is not None and slot.waiting.get("why") != "down"


def _freed_first(slots: list[Slot]) -> list[Slot]:
    """Those that may start already stay so: each that is let start asks the store."""
    return sorted(slots, key=lambda slot: slot.cell.words[Word.HOLD])
