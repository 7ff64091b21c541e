"""Workers by backlog in real pods: out to what the gates give work, in past the pod that has a job."""

from __future__ import annotations

import re
from typing import Any

from .installation import Installation
from .node import Cluster
from .objects import policy
from .pod_logs import PodLogs
from .recorder import Recorder

JOBS = 40
TOTAL = 6
MOST = 3
"""Six places: three workers of two slots have work, two more that the backlog alone would ask for have none."""
RULES = {"maxReplicas": 5, "targetBacklogPerSlot": 2, "scaleDownStabilizationSeconds": 10}
LONG_SECONDS = 50.0
"""Outlasts the short jobs, the window and the end of the idle pods, on a slow machine too."""


def test_a_backlog_brings_workers_and_its_end_takes_the_idle_ones(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    name = f"scaled-{namespace}"
    spec: dict[str, Any] = {"concurrency": {"perWorker": 2, "total": TOTAL}, "jobs": {"deadlineSeconds": 120}}
    installed.apply(namespace, policy(name, recorder.address, **spec, workers={"autoscaling": RULES}))
    installed.wait(namespace, f"queuepolicy/{name}")
    queue = installed.queue(name)
    numbers: list[int] = []

    def replicas() -> int:
        numbers.append(installed.read(namespace, "queuepolicies", name)["spec"]["workers"]["replicas"])
        return numbers[-1]

    with PodLogs(cluster.folder, namespace) as logs:
        jobs = [queue.enqueue("e2e_app.nap", 1.0).id for _ in range(JOBS)]
        cluster.wait_until(lambda: replicas() == MOST, "as many workers as can have work", timeout=30)
        cluster.wait_until(lambda: len(recorder.ended(name)) == JOBS, "the backlog is done", timeout=120)
        long = queue.enqueue("e2e_app.nap", LONG_SECONDS).id
        cluster.wait_until(lambda: long in recorder.starts(name), "the long job runs", timeout=30)
        (busy,) = {line.pod for line in recorder.of(name) if line.job == long}
        cluster.wait_until(lambda: replicas() == 1, "one worker again", timeout=60)
        cluster.wait_until(lambda: len(installed.pods(namespace)) == 1, "the idle ones ended", timeout=60)
        (left,) = installed.pods(namespace)
        assert long not in recorder.ended(name), "it still runs, or this shows nothing"
        assert left["metadata"]["name"] == busy
        assert left["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] == "1"
        cluster.wait_until(lambda: long in recorder.ended(name), "the long job ends", timeout=120)
    assert recorder.starts(name) == dict.fromkeys([*jobs, long], 1)
    assert recorder.most_at_once(name) <= TOTAL
    assert max(numbers) == MOST
    drained = [pod for pod, text in logs.by_pod().items() if re.search(r"drained, bye", text)]
    assert len(drained) >= MOST - 1
    assert busy not in drained
