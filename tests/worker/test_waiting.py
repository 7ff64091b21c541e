"""Whom the supervisor wakes, and when: decided here without processes, on the words that slots send."""

import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from headgate_worker.cells import Cells, WorkerWord
from headgate_worker.loop import Loop
from headgate_worker.slots import Slot, Slots, State
from headgate_worker.waiting import Waiting


@dataclass
class Told:
    """Stands in for the table of slots; notes who was woken."""

    slots: list[Slot]
    woken: list[int] = field(default_factory=list)

    def alive(self) -> list[Slot]:
        return self.slots

    def __iter__(self) -> Any:
        return iter(self.slots)

    def tell(self, slot: Slot) -> None:
        slot.waiting = None
        self.woken.append(slot.index)


class World:
    def __init__(self, slots: int = 2, length: int = 0, tracks: bool = True) -> None:
        self.cells = Cells.create()
        self.told = Told([Slot(index, f"w.{index}", self.cells.slot(index), State.UP) for index in range(slots)])
        self.loop = Loop()
        self.length: int | None = length
        self.arms = 0
        self.waiting = Waiting(
            cast(Slots, self.told), self.loop, self.cells.worker(), self._arm, lambda: tracks, self._store_ms
        )

    def _arm(self) -> int | None:
        self.arms += 1
        return self.length

    def _store_ms(self) -> float:
        return time.monotonic() * 1000 + 5_000_000

    def idle(self, index: int, **message: Any) -> None:
        self.waiting.idle(self.told.slots[index], message)

    def turn_until_woken(self) -> None:
        end = time.monotonic() + 5
        while not self.told.woken and time.monotonic() < end:
            self.loop.turn()


def test_an_empty_queue_is_tracked_once_and_nobody_is_woken() -> None:
    world = World()
    world.idle(0, why="empty", length=0)
    world.idle(1, why="empty", length=0)
    assert world.arms == 1
    assert world.told.woken == []
    assert world.cells.worker()[WorkerWord.IDLE_SLOTS] == 2


def test_what_came_between_claim_and_track_is_fetched_at_once() -> None:
    world = World(length=3)
    world.idle(0, why="empty", length=0)
    assert world.told.woken == [0]


def test_an_arrival_wakes_as_many_as_there_is_work_for() -> None:
    world = World(slots=3)
    for index in range(3):
        world.idle(index, why="empty", length=0)
    world.length = 1
    world.waiting.arrived()
    assert world.told.woken == [2]
    world.waiting.wake_one()
    assert world.told.woken == [2, 1]
    assert world.cells.worker()[WorkerWord.IDLE_SLOTS] == 1
    world.idle(2, why="empty", length=1)
    world.length = 5
    world.waiting.arrived()
    assert world.told.woken == [2, 1, 2, 0]


def test_a_claim_of_another_worker_wakes_nobody() -> None:
    world = World(slots=2)
    for index in range(2):
        world.idle(index, why="empty", length=0)
    world.waiting.arrived()
    assert world.told.woken == []
    assert world.waiting.armed


def test_a_time_that_opens_a_gate_wakes_one() -> None:
    world = World()
    at = time.monotonic() * 1000 + 5_000_000 + 50
    world.idle(0, why="wait", blocker="rate.total", open_at=int(at), holders=0)
    world.idle(1, why="wait", blocker="rate.total", open_at=int(at) + 60_000, holders=0)
    world.turn_until_woken()
    assert world.told.woken == [1]
    assert world.waiting.refused == {"rate.total": 2}
    assert world.arms == 0


def test_a_gate_that_a_holder_must_open_waits_for_the_wake() -> None:
    world = World()
    world.idle(0, why="wait", blocker="concurrency.total", open_at=None, holders=2)
    world.loop.turn()
    assert world.told.woken == []
    world.waiting.wake_one()
    assert world.told.woken == [0]


@pytest.mark.parametrize("why", ["held", "suspended", "nopolicy", "none"])
def test_a_hold_waits_for_the_policy(why: str) -> None:
    world = World()
    world.idle(0, why=why)
    assert world.told.woken == []
    assert world.arms == 0


def test_when_all_keys_are_full_an_arrival_with_another_key_is_heard() -> None:
    world = World(length=7)
    world.idle(0, why="wait", blocker="concurrency.perKey", open_at=None, holders=1)
    assert world.told.woken == [0]  # something may have come before the track
    world.idle(0, why="wait", blocker="concurrency.perKey", open_at=None, holders=1)
    assert world.told.woken == [0]  # now it is tracked
    world.waiting.arrived()
    assert world.told.woken == [0, 0]


def test_the_store_is_away_while_arming() -> None:
    world = World()
    world.length = None
    world.idle(0, why="empty", length=0)
    assert not world.waiting.armed
    world.waiting.wake_all()
    assert world.told.woken == [0]


def test_without_tracking_the_queue_is_looked_at_now_and_then() -> None:
    world = World(tracks=False)
    world.idle(0, why="empty", length=0)
    world.idle(1, why="empty", length=0)
    world.loop.turn()
    world.length = 1
    world.turn_until_woken()
    assert world.told.woken == [1]


def test_a_slot_that_leaves_is_not_woken() -> None:
    world = World(slots=1)
    world.idle(0, why="empty", length=0)
    world.told.slots[0].leaving = True
    world.waiting.arrived()
    assert world.told.woken == []
