"""RQ's registry maintenance, every ten minutes by one worker of a queue, under RQ's own lock.

Before RQ's code the score of every job that our gates still hold is renewed, so that RQ never fails a job that runs,
nor one whose lease lapsed: of that, the next renewal's reap and onWorkerLost decide.
"""

from __future__ import annotations

from typing import Any

from rq import Queue
from rq.group import Group
from rq.registry import clean_registries
from rq.utils import current_timestamp
from rq.worker_registration import clean_worker_registry

from headgate.gates.door import Door
from headgate_worker import logs
from headgate_worker.guarded_job import guarded
from headgate_worker.rq_worker import RqWorker
from headgate_worker.rules import Rules
from headgate_worker.settings import Settings

INTERVAL_SECONDS = 600
WIP_SECONDS = 90


def maintain(door: Door, connection: Any, settings: Settings, instance: str, rules: Rules) -> None:
    """Does nothing while another worker has the lock."""
    queue = Queue(
        settings.queue, connection=connection, job_class=guarded(rules.functions), serializer=rules.serializer
    )
    if Group.acquire_maintenance_lock(connection, INTERVAL_SECONDS - 1):
        Group.clean_registries(connection=connection)
    if not queue.acquire_maintenance_lock():
        return
    try:
        keep_leased(door, connection, settings.queue)
        clean_registries(queue)
        clean_worker_registry(queue)
        worker = RqWorker(settings.queue, instance, connection, rules.serializer, settings.webhook_hosts)
        queue.intermediate_queue.cleanup(worker, queue)
    finally:
        queue.release_maintenance_lock()
    logs.get().debug("registries cleaned", queue=settings.queue)


def keep_leased(door: Door, connection: Any, queue: str) -> None:
    """Give every started entry that looks lapsed to RQ, but whose job our gates still hold, its 90 seconds again."""
    keys, now = door.keys, current_timestamp()
    lapsed = [entry.decode() for entry in connection.zrangebyscore(keys.wip(queue), 0, now)]
    if not lapsed:
        return
    with connection.pipeline(transaction=False) as pipeline:
        for entry in lapsed:
            pipeline.zscore(keys.gate(queue, "held"), entry)
        held = pipeline.execute()
    still = {entry: now + WIP_SECONDS for entry, score in zip(lapsed, held, strict=True) if score is not None}
    if still:
        connection.zadd(keys.wip(queue), still, xx=True)
