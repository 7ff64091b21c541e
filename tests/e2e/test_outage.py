"""The API server is away: what runs goes on running, what is declared stays in force, and the operator comes back."""

from __future__ import annotations

import time

from .installation import Installation
from .node import Cluster
from .objects import policy
from .recorder import Recorder

TOTAL = 3
SECONDS = 30
"""Longer than a lease (20 s) and than the operator's Lease (15 s), on which everything else hangs."""


def test_the_api_server_is_away_and_jobs_go_on(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    queue = f"outage-{namespace}"
    limits = {"perWorker": 3, "total": TOTAL}
    installed.apply(namespace, policy(queue, recorder.address, concurrency=limits, workers={"replicas": 2}))
    installed.wait(namespace, f"queuepolicy/{queue}")
    waiting = installed.queue(queue)
    jobs = [waiting.enqueue("e2e_app.nap", 0.5) for _ in range(300)]
    with cluster.apiserver_away():
        began = recorder.started(queue)
        time.sleep(SECONDS)
        assert recorder.started(queue) > began + 100, "workers and store need no API server"
    installed.change(namespace, queue, {"concurrency": {"total": 2}})
    installed.in_force(namespace, queue, timeout=90)
    cluster.wait_until(lambda: len(recorder.ended(queue)) == len(jobs), "all jobs are done", timeout=120)
    assert recorder.starts(queue) == {job.id: 1 for job in jobs}
    assert recorder.most_at_once(queue) <= TOTAL
