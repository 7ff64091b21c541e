"""A job that takes more memory than its pod has."""

from __future__ import annotations

from .installation import Installation, policy
from .node import Cluster
from .pod_logs import PodLogs
from .recorder import Recorder

LIMIT_MIB = 160


def test_a_job_over_the_memory_limit_ends_as_poison_with_its_reason(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    """The kernel kills its process, not the pod; it is tried again as often as the policy says, then set aside."""
    name = f"hog-{namespace}"
    container = {"resources": {"limits": {"memory": f"{LIMIT_MIB}Mi"}, "requests": {"memory": f"{LIMIT_MIB}Mi"}}}
    wanted = policy(
        name, recorder.address, concurrency={"perWorker": 1}, jobs={"maxLosses": 2}, workers={"container": container}
    )
    installed.apply(namespace, wanted)
    installed.wait(namespace, f"queuepolicy/{name}")
    queue = installed.queue(name)
    with PodLogs(cluster.folder, namespace) as logs:
        job = queue.enqueue("e2e_app.hog", 2 * LIMIT_MIB, 0)
        good = queue.enqueue("e2e_app.nap", 0.1)
        cluster.wait_until(lambda: job.get_status() == "failed", "it is set aside", timeout=120)
        cluster.wait_until(lambda: good.get_status() == "finished", "the next job runs", timeout=60)
    assert recorder.starts(name)[job.id] == 3, "the first time and two more"
    result = job.latest_result()
    assert result is not None
    assert "Poison: the process that ran this job died more than 2 times" in str(result.exc_string)
    assert "signal 9" in str(result.exc_string)
    assert sum(text.count("outcome=requeued") for text in logs.by_pod().values()) == 2
    restarts = [
        status["restartCount"] for pod in installed.pods(namespace) for status in pod["status"]["containerStatuses"]
    ]
    assert restarts == [0], "the worker itself lived on"
