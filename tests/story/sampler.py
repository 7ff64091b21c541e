"""Does RQ's own view add up while everything runs? A thread that looks several times a second, as `rq info` does."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import redis
from rq import Worker

from tests.story.world import QUEUES, World

EVERY_SECONDS = 0.4
REGISTRIES = ("wip", "finished", "failed", "scheduled", "deferred", "canceled")


@dataclass(frozen=True)
class Sample:
    """One look: jobs in all lists and registries, those acknowledged just before and just after, workers, busy ones."""

    jobs: int
    acked_before: int
    acked_after: int
    started: int
    workers: int
    busy: int


class Sampler:
    """Looks from enter to exit. The counts of one sample are one MULTI: nothing moves in between."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sampler", daemon=True)
        self.samples: list[Sample] = []

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        with self._world.store.client() as client:
            while not self._stop.wait(EVERY_SECONDS):
                self.samples.append(self._sample(client))

    def _sample(self, client: redis.Redis) -> Sample:
        before = self._world.acknowledged()
        with client.pipeline(transaction=True) as pipe:
            for queue in QUEUES:
                pipe.llen(f"rq:queue:{queue}")
                for registry in REGISTRIES:
                    pipe.zcard(f"rq:{registry}:{queue}")
            counts = pipe.execute()
        after = self._world.acknowledged()
        workers = Worker.all(connection=client)
        started = sum(counts[1 :: 1 + len(REGISTRIES)])
        return Sample(sum(counts), before, after, started, len(workers), sum(w.get_state() == "busy" for w in workers))
