"""perKey: a full key never holds back another key's jobs. Round robin between keys, queue order within a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

KEYLESS = "-"
"""The lane of jobs without a key; perKey does not apply to them. A key's lane is `=<key>`."""
FIRST_JOBS = 2**20
LOOKS = 16
"""At most so many keys are looked at in one claim."""


def lane_of(key: str | None) -> str:
    return KEYLESS if key is None else f"={key}"


def key_of(lane: str) -> str | None:
    return None if lane == KEYLESS else lane[1:]


Refusal = tuple[Literal["shut", "late"], int]
"""The key is full until a place is free, or its rate until it opens: where it waits and until when (ms)."""


class Lanes:
    """`open`: lanes by turn, those new in one turn in the order of their first jobs.

    `shut`: full ones by their first lease end (ms). `late`: by opening (ms). `seen`: job id -> lane, in queue
    order; an id that was removed from the queue stays until the turn of its lane comes.
    """

    __slots__ = ("late", "open", "seen", "shut", "turn")

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.open: dict[str, float] = {}
        self.shut: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.turn = 0

    def forget(self) -> None:
        self.__init__()  # type: ignore[misc]

    def look_through(self, ids: list[str], lane: Callable[[str], str | None]) -> list[str]:
        """Learn the lanes of ids not seen before. Answers ids whose key nobody knows yet; then nothing is learnt."""
        found_lanes = {job_id: lane(job_id) for job_id in ids if job_id not in self.seen}
        learnt = {job_id: found for job_id, found in found_lanes.items() if found is not None}
        if len(learnt) < len(found_lanes):
            return [job_id for job_id in found_lanes if job_id not in learnt]
        # Unseen ids before the first seen one were pushed to the front.
        front = next((position for position, job_id in enumerate(ids) if job_id in self.seen), 0)
        first = {job_id: learnt[job_id] for job_id in ids[:front]}
        rest = {job_id: learnt[job_id] for job_id in ids[front:] if job_id in learnt}
        self.seen = first | self.seen | rest
        for position, job_id in enumerate(ids, 1):
            lane_found = learnt.get(job_id)
            if lane_found is not None and lane_found not in self.shut and lane_found not in self.late:
                self.open.setdefault(lane_found, self.turn + position / FIRST_JOBS)
        return []

    def has_jobs(self, lane: str) -> bool:
        return lane in self.seen.values()

    def reopen(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            self.shut.pop(lane, None)
            self.late.pop(lane, None)
            if self.has_jobs(lane):
                self.open.setdefault(lane, self.turn)

    def reopen_due(self, now: int) -> None:
        """Keys whose time has come look again."""
        self.reopen([lane for waiting in (self.shut, self.late) for lane, at in waiting.items() if at <= now])

    def look_again(self) -> None:
        """The limits changed."""
        self.shut = dict.fromkeys(self.shut, 0)
        self.late = dict.fromkeys(self.late, 0)

    def free(self, lane: str) -> bool:
        """One of the key's places was given back. True when its lane was shut."""
        if self.shut.pop(lane, None) is None:
            return False
        if self.has_jobs(lane):
            self.open[lane] = self.turn
        return True

    def sleep(self, lane: str, until: int) -> None:
        self.open.pop(lane, None)
        self.shut.pop(lane, None)
        self.late[lane] = until

    def choose(self, ids: list[str], refuses: Callable[[str], Refusal | None]) -> tuple[str, str] | None:
        """Take the next job by turns out of `ids` (the queue's list): its id and lane. None: none may start now."""
        for _ in range(LOOKS):
            lane = min(self.open, key=lambda one: (self.open[one], one), default=None)
            if lane is None:
                return None
            refusal = refuses(lane)
            if refusal is not None:
                del self.open[lane]
                (self.shut if refusal[0] == "shut" else self.late)[lane] = refusal[1]
                continue
            job_id = self._take(ids, lane)
            if job_id is None:
                del self.open[lane]
                continue
            self.turn += 1
            if self.has_jobs(lane):
                self.open[lane] = self.turn
            else:
                del self.open[lane]
            return job_id, lane
        return None

    def _take(self, ids: list[str], lane: str) -> str | None:
        """The lane's first job that still stands in the queue."""
        for job_id in [one for one, found in self.seen.items() if found == lane]:
            del self.seen[job_id]
            if job_id in ids:
                ids.remove(job_id)
                return job_id
        return None
