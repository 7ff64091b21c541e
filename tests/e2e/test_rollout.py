"""A new image, a scale-in and a drained node under 200 jobs: none lost, none failed, never one too many."""

from __future__ import annotations

import re
from typing import Any

from .images import NEXT_APP
from .installation import Installation
from .load import Load
from .node import Cluster
from .objects import policy
from .pod_logs import PodLogs
from .recorder import Recorder

JOBS = 200
SECONDS = 2.5
TOTAL = 12
"""5 pods of 3 slots: the gate binds, not the slots."""


def test_jobs_survive_a_rollout_a_scale_in_and_a_drain(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    name = f"rollout-{namespace}"
    spec: dict[str, Any] = {"concurrency": {"perWorker": 3, "total": TOTAL}, "jobs": {"deadlineSeconds": 60}}
    installed.apply(namespace, policy(name, recorder.address, **spec, workers={"replicas": 5, "drainSeconds": 30}))
    installed.wait(namespace, f"queuepolicy/{name}")
    queue = installed.queue(name)
    with PodLogs(cluster.folder, namespace) as logs:
        jobs = [queue.enqueue("e2e_app.nap", SECONDS).id for _ in range(JOBS)]
        with Load(queue, SECONDS) as more:
            cluster.wait_until(lambda: recorder.started(name) > TOTAL, "jobs run")

            before = pods_of(installed, namespace)
            template = policy(name, recorder.address, image=NEXT_APP)["spec"]["workers"]["template"]
            installed.change(namespace, name, {"workers": {"template": template}})
            cluster.wait_until(
                lambda: not before & pods_of(installed, namespace) and len(pods_of(installed, namespace)) == 5,
                "the new image runs", timeout=90,
            )  # fmt: skip

            cluster.kubectl("-n", namespace, "scale", "queuepolicy", name, "--replicas=1")
            cluster.wait_until(lambda: len(pods_of(installed, namespace)) == 1, "one worker is left", timeout=60)

            last = pods_of(installed, namespace)
            drain(cluster, namespace)
            try:
                cluster.wait_until(lambda: not last & pods_of(installed, namespace), "the node is drained", timeout=60)
            finally:
                cluster.kubectl("uncordon", cluster.name)
        jobs += more.jobs
        cluster.kubectl("-n", namespace, "scale", "queuepolicy", name, "--replicas=5")
        cluster.wait_until(lambda: len(recorder.ended(name)) == len(jobs), "all jobs are done", timeout=120)
        cluster.kubectl("-n", namespace, "delete", "queuepolicy", name)
        cluster.wait_until(lambda: not pods_of(installed, namespace), "the workers ended", timeout=60)
    store = installed.store()
    assert recorder.ended(name) == set(jobs)
    assert recorder.starts(name) == dict.fromkeys(jobs, 1), "each job's code was started once"
    assert recorder.most_at_once(name) <= TOTAL
    assert store.zcard(f"rq:failed:{name}") == 0
    assert store.llen(f"rq:queue:{name}") == 0
    ends = {pod: re.findall(r"drained, bye.*sigterms=(\d+)", text) for pod, text in logs.by_pod().items()}
    assert len(ends) >= 11, "five pods, five of the new image, more after the drained node"
    assert set(map(tuple, ends.values())) == {("1",)}, "each pod got exactly one SIGTERM, and drained"


def pods_of(installed: Installation, namespace: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in installed.pods(namespace)}


def drain(cluster: Cluster, namespace: str) -> None:
    """`kubectl drain`, of this namespace's workers: the operator on the only node stays."""
    cluster.kubectl(
        "drain", cluster.name, "--pod-selector=headgate.dev/queue-policy", "--delete-emptydir-data",
        "--ignore-daemonsets", "--timeout=60s", timeout=90,
    )  # fmt: skip
