"""The operator killed, the store lost: limits hold throughout, each comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .installation import Installation
from .node import Cluster
from .objects import policy, reason
from .recorder import Recorder

TOTAL = 3
OPERATOR = "app.kubernetes.io/component=operator"


@pytest.fixture
def queue(cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder) -> Iterator[str]:
    """A queue with two workers of three slots, three at once in all, and something to do."""
    name = f"faults-{namespace}"
    limits = {"perWorker": 3, "total": TOTAL}
    installed.apply(namespace, policy(name, recorder.address, concurrency=limits, workers={"replicas": 2}))
    installed.wait(namespace, f"queuepolicy/{name}")
    yield name
    installed.store().delete(f"rq:queue:{name}")


def keep_busy(installed: Installation, queue: str, jobs: int = 60) -> None:
    waiting = installed.queue(queue)
    for _ in range(jobs):
        waiting.enqueue("e2e_app.nap", 0.5)


def test_one_operator_killed_then_both(
    cluster: Cluster, installed: Installation, namespace: str, queue: str, recorder: Recorder
) -> None:
    keep_busy(installed, queue)
    for doomed in (1, 2):
        pods = [pod["metadata"]["name"] for pod in installed.pods(installed.namespace, OPERATOR)]
        cluster.kubectl("-n", installed.namespace, "delete", "pod", *pods[:doomed], "--force", "--grace-period=0")
        installed.change(namespace, queue, {"backlog": {"limit": 100 * doomed}})
        installed.in_force(namespace, queue)
    cluster.wait_until(lambda: installed.store().llen(f"rq:queue:{queue}") == 0, "the jobs ran", timeout=90)
    assert recorder.most_at_once(queue) <= TOTAL


def test_the_store_is_lost_with_all_its_data(
    cluster: Cluster, installed: Installation, namespace: str, queue: str, recorder: Recorder
) -> None:
    """The bundled store has no disk: its pod's end is the worst case. Policies return, and so does work."""
    keep_busy(installed, queue)
    cluster.wait_until(lambda: recorder.started(queue) > 5, "jobs run")
    store = "app.kubernetes.io/component=valkey"
    cluster.kubectl("-n", installed.namespace, "delete", "pod", "-l", store, "--force", "--grace-period=0")

    def conditions() -> tuple[str, str]:
        found = installed.read(namespace, "queuepolicies", queue)
        return reason(found, "Ready"), reason(found, "Degraded")

    cluster.wait_until(lambda: conditions()[1] == "Quarantine", "the conditions tell", timeout=60)
    cluster.wait_until(lambda: conditions() == ("InForce", "AsExpected"), "the policy is in force again", timeout=90)
    before = recorder.started(queue)
    keep_busy(installed, queue, jobs=12)
    cluster.wait_until(lambda: recorder.started(queue) >= before + 12, "new jobs run", timeout=60)
    assert recorder.most_at_once(queue) <= TOTAL
