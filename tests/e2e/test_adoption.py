"""docs/adopting.md step by step: from a Deployment of `rq worker` to a policy, and no job that two of them drain."""

from __future__ import annotations

from typing import Any

from .images import APP
from .installation import Installation
from .node import Cluster
from .objects import deployment, policy, reason
from .recorder import Recorder

TOTAL = 2
JOBS = 40


def test_from_plain_rq_workers_to_a_policy_and_never_both_at_once(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    name = f"adopted-{namespace}"
    queue = installed.queue(name)
    installed.apply(namespace, plain_workers(name, recorder.address))
    installed.wait(namespace, "deployment/legacy", "condition=Available")
    jobs = [queue.enqueue("e2e_app.nap", 0.5) for _ in range(JOBS)]
    cluster.wait_until(lambda: recorder.started(name) > 3, "the old workers run jobs")

    # 1. The policy, held: its workers come up and start nothing; the old ones go on, and status says so.
    held = policy(name, recorder.address, stopPolicy="Hold", concurrency={"perWorker": 2, "total": TOTAL})
    installed.apply(namespace, held)
    installed.wait(namespace, f"queuepolicy/{name}", "condition=WorkersReady")
    cluster.wait_until(
        lambda: reason(installed.read(namespace, "queuepolicies", name), "Enforced") == "ForeignWorkers",
        "status names the old workers", timeout=60,
    )  # fmt: skip
    assert not by_headgate(recorder, name)

    # 2. The old ones go, each after the job that it runs.
    cluster.kubectl("-n", namespace, "scale", "deployment", "legacy", "--replicas=0")
    cluster.wait_until(lambda: not installed.pods(namespace, "app=legacy"), "the old workers ended", timeout=60)
    before = len(recorder.of(name))
    assert recorder.most_at_once(name) <= 3, "three old workers, one job each"

    # 3. The gate opens.
    installed.change(namespace, name, {"stopPolicy": "None"})
    more = [queue.enqueue("e2e_app.nap", 0.2) for _ in range(10)]
    cluster.wait_until(lambda: len(recorder.ended(name)) == JOBS + 10, "all jobs are done", timeout=90)
    after = recorder.of(name)[before:]
    assert {line.pod.startswith(f"{name}-worker-") for line in after} == {True}, "only the policy's workers since then"
    assert recorder.starts(name) == {job.id: 1 for job in [*jobs, *more]}, "no job was started twice, none is missing"
    assert most_at_once(recorder, name, before) <= TOTAL
    cluster.wait_until(
        lambda: reason(installed.read(namespace, "queuepolicies", name), "Enforced") == "AllAcknowledged",
        "the policy holds everywhere", timeout=120,
    )  # fmt: skip


def by_headgate(recorder: Recorder, queue: str) -> list[str]:
    return [line.job for line in recorder.of(queue) if line.pod.startswith(f"{queue}-worker-")]


def most_at_once(recorder: Recorder, queue: str, since: int) -> int:
    """The most jobs at once from the line `since` on, when nothing ran."""
    now = most = 0
    for line in recorder.of(queue)[since:]:
        now += 1 if line.kind == "S" else -1
        most = max(most, now)
    return most


def plain_workers(queue: str, recorder: str) -> dict[str, Any]:
    """What a team has before: three pods of stock RQ."""
    environment = [
        {"name": "STORE", "valueFrom": {"secretKeyRef": {"name": "headgate-store", "key": "url"}}},
        {"name": "HEADGATE_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "RECORDER", "value": recorder},
    ]
    return deployment("legacy", APP, ["rq", "worker", "--url", "$(STORE)", queue], replicas=3, env=environment)
