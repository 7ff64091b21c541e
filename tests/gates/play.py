"""A fleet in a few words: policies, jobs and slots over a real door, for tests that tell a story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from rq import Queue
from rq.job import Job

from headgate.gates.door import Door
from headgate.gates.verbs import (
    Beat,
    Claim,
    ClaimAnswer,
    Done,
    Finish,
    Finished,
    Grant,
    Holding,
    Outcome,
    Owner,
    Renewal,
    Seen,
    SlotBeat,
)
from headgate.model.documents import BudgetDocument, QueueDocument
from tests.gates.moving_clock import move, moving_verbs

DONE = Done(b"gASVAgAAAAAAAACMAJQu", 500, "2026-11-24T23:11:38.000042Z", "2026-11-24T23:11:38.100042Z")


@dataclass
class Play:
    """`door` is shared; each slot is named `<instance>.<i>` and runs at most one job."""

    url: str
    queue: str = "q"
    count: int = 0
    running: dict[str, Grant] = field(default_factory=dict)
    revision: int = 0

    def __post_init__(self) -> None:
        self.client: redis.Redis = redis.Redis.from_url(self.url)
        self.door = Door(self.url, verbs=moving_verbs())

    def close(self) -> None:
        self.door.close()
        self.client.close()

    def afresh(self) -> None:
        """A new store for somebody who has seen none."""
        self.client.flushall()
        self.door.seen = Seen()

    def policy(self, queue: str | None = None, **limits: Any) -> None:
        name = queue or self.queue
        self.revision += 1
        self.door.publish(QueueDocument(queue=name, **limits), Owner(f"ns/{name}", f"uid-{name}", self.revision))

    def budget(self, name: str, **limits: Any) -> None:
        self.revision += 1
        self.door.publish(BudgetDocument(name=name, **limits), Owner(name, f"uid-{name}", self.revision))

    def enqueue(self, count: int = 1, *, queue: str | None = None, key: str | None = None, **job: Any) -> list[Job]:
        """Plain RQ jobs; `key` goes into the plain field of the job hash."""
        jobs = [Queue(queue or self.queue, connection=self.client).create_job(print, (i,), **job) for i in range(count)]
        for item in jobs:
            if key is not None:
                self.client.hset(item.key, "headgate_key", key)
            Queue(queue or self.queue, connection=self.client).enqueue_job(item)
        return jobs

    def claim_of(self, slot: str, queue: str | None = None, lane_keys: Mapping[str, str | None] | None = None) -> Claim:
        self.count += 1
        nonce, execution = f"nonce-{self.count}", f"execution{self.count}"
        return Claim(queue or self.queue, slot, slot.rpartition(".")[0], nonce, execution, lane_keys or {})

    def claim(self, slot: str, queue: str | None = None) -> ClaimAnswer:
        answer = self.door.claim(self.claim_of(slot, queue))
        if isinstance(answer, Grant):
            self.running[slot] = answer
        return answer

    def finish_of(self, slot: str, outcome: Outcome = DONE, queue: str | None = None) -> Finish:
        grant = self.running[slot]
        return Finish(queue or self.queue, slot, grant.job_id, grant.execution, grant.fence, outcome, grant.places)

    def finish(self, slot: str, outcome: Outcome = DONE, queue: str | None = None) -> Finished:
        finished = self.door.finish(self.finish_of(slot, outcome, queue))
        del self.running[slot]
        return finished

    def cycle(self, slot: str, queue: str | None = None) -> tuple[Finished, ClaimAnswer]:
        answers = self.door.finish_claim(self.finish_of(slot, DONE, queue), self.claim_of(slot, queue))
        del self.running[slot]
        if isinstance(answers[1], Grant):
            self.running[slot] = answers[1]
        return answers

    def holding(self, slot: str, queue: str | None = None) -> Holding:
        grant = self.running[slot]
        return Holding(queue or self.queue, slot, grant.job_id, grant.execution, grant.fence, grant.places)

    def beat(self, instance: str, slots: int = 3, queue: str | None = None) -> Renewal:
        names = [f"{instance}.{i}" for i in range(slots)]
        holdings = [self.holding(name, queue) for name in names if name in self.running]
        beats = tuple(SlotBeat(name) for name in names)
        return self.door.renew(Beat(instance, instance, queue or self.queue, self.revision, beats, holdings))

    def move(self, seconds: float) -> None:
        move(self.client, seconds)

    def live(self, seconds: float, *instances: str, queue: str | None = None) -> None:
        """Let time go by as it does for pods that are well: they renew every few seconds of it."""
        while seconds > 0:
            self.move(min(seconds, 5))
            seconds -= 5
            for instance in instances:
                self.beat(instance, queue=queue)

    def own_keys(self) -> set[str]:
        """Headgate's keys, without the store's own memory."""
        return {key.decode() for key in self.client.scan_iter("rq:hg:*")} - {"rq:hg:meta", "rq:hg:unpublished"}
