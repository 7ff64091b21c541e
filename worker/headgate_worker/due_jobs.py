"""Jobs that are due (enqueue_at, enqueue_in, Retry intervals, Repeat) go to their queue, under RQ's scheduler lock.

RQ's own scheduler code promotes them; a stock `rq worker --with-scheduler` on the same queue and we respect each other.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from rq.job import Job
from rq.scheduler import RQScheduler
from rq.scripts import acquire_or_refresh_lock
from rq.serializers import DefaultSerializer
from rq.utils import current_timestamp, now

from headgate.gates.client import UNREACHABLE
from headgate_worker import logs

LOCK_SECONDS = 15
"""RQ holds its lock for 61 seconds; ours is refreshed every second and free sooner when its owner dies."""
BEAT = timedelta(seconds=10)
TRY_SECONDS = 5
MOST_ROUNDS = 50
"""Of 1,000 jobs each a second: the rest waits for the next second, so that the clerk stays reachable."""


class DueJobs(RQScheduler):  # type: ignore[misc]
    """`connect` gives the client in use; it may be another after a break."""

    def __init__(self, queue: str, connect: Callable[[], Any], name: str) -> None:
        self._connect = connect
        super().__init__(
            [queue], connection=connect(), serializer=DefaultSerializer, name=name, logging_level=logging.WARNING
        )
        self._queue = queue
        self._lock = self.get_locking_key(queue)
        self._owner = False
        self.last_heartbeat: datetime

    @property
    def connection(self) -> Any:
        return self._connect()

    def seconds_to_next(self, now: float) -> float:
        """The owner looks right after each second begins (RQ's due times are whole), others try now and then."""
        return math.floor(now) + 1.002 - now if self._owner else TRY_SECONDS

    def tick(self, serializer: Any) -> None:
        """Take or keep the lock; with it, promote what is due."""
        outcome = acquire_or_refresh_lock(self.connection, self._lock, self.name, LOCK_SECONDS)
        if outcome == "taken":
            self._owner = False
            return
        if not self._owner:
            self._owner = True
            self._acquired_locks = {self._queue}
            self.register_birth()
        self.serializer = serializer
        self.prepare_registries([self._queue])
        if now() - self.last_heartbeat > BEAT:
            self.last_heartbeat = now()
            self.save()
        for _ in range(MOST_ROUNDS):
            if not self._scheduled_job_registries[0].get_jobs_to_schedule(current_timestamp(), chunk_size=1):
                return
            self._promote()

    def release(self) -> None:
        if self._owner:
            self.release_locks()
            self.register_death()
            self._owner = False

    def _promote(self) -> None:
        try:
            self.enqueue_scheduled_jobs()
        except (ValueError, KeyError, UnicodeDecodeError, AttributeError, TypeError) as error:
            self._set_broken_aside(error)

    def _set_broken_aside(self, error: Exception) -> None:
        """A job whose hash RQ cannot read would hold up all the others: it goes to the failed registry, as it is."""
        registry = self._scheduled_job_registries[0]
        for job_id in registry.get_jobs_to_schedule(current_timestamp()):
            try:
                Job.fetch(job_id, connection=self.connection, serializer=self.serializer)
            except UNREACHABLE:
                raise
            except Exception:
                logs.get().error(
                    "a due job cannot be read, it is in the failed registry now", id=job_id, error=str(error)
                )
                with self.connection.pipeline() as pipeline:
                    registry.remove(job_id, pipeline=pipeline)
                    failed = registry.key.replace(":scheduled:", ":failed:", 1)
                    pipeline.zadd(failed, {job_id: current_timestamp() + 31536000})
                    pipeline.execute()
