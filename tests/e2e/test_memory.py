"""Jobs that take more memory than their pod has: one alone, and several together."""

from __future__ import annotations

from .installation import Installation
from .node import Cluster
from .objects import policy, reason
from .pod_logs import PodLogs
from .recorder import Recorder

LIMIT_MIB = 160
COUNTERS = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")


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
    (pod,) = installed.pods(namespace)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0, "the worker itself lived on"
    assert oom_kills(cluster, namespace, pod["metadata"]["name"]) == 3, "it was the kernel, for memory"


def test_jobs_that_do_not_fit_together_wait_and_nobody_is_killed(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    """Six jobs of 70 MiB arrive at once at four slots of a pod of 256 MiB: what would not fit is held back."""
    name = f"full-{namespace}"
    container = {"resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "256Mi"}}}
    memory = {"holdAbovePercent": 65, "resumeBelowPercent": 60}
    wanted = policy(
        name, recorder.address, concurrency={"perWorker": 4}, workers={"container": container, "memory": memory}
    )
    installed.apply(namespace, wanted)
    installed.wait(namespace, f"queuepolicy/{name}")
    queue = installed.queue(name)
    with PodLogs(cluster.folder, namespace) as logs:
        jobs = [queue.enqueue("e2e_app.hog", 70, 4) for _ in range(6)]
        cluster.wait_until(
            lambda: throttled(installed, namespace, name) == "Memory", "its status to say so", timeout=60
        )
        cluster.wait_until(
            lambda: all(job.get_status() == "finished" for job in jobs), "all of them to finish", timeout=120
        )
    assert set(recorder.starts(name).values()) == {1}, "each ran once"
    assert "short of memory: nothing new starts" in "".join(logs.by_pod().values())
    (pod,) = installed.pods(namespace)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert oom_kills(cluster, namespace, pod["metadata"]["name"]) == 0


def throttled(installed: Installation, namespace: str, name: str) -> str:
    """Why its policy says that it is held back."""
    return reason(installed.read(namespace, "queuepolicies", name), "Throttled")


def oom_kills(cluster: Cluster, namespace: str, pod: str) -> int:
    """How many processes of the container the kernel killed, as its cgroup counts (version 1 or 2)."""
    script = f"""
from pathlib import Path
for name in {COUNTERS}:
    if Path(name).exists():
        print(dict(line.split() for line in Path(name).read_text().splitlines())["oom_kill"])
"""
    return int(cluster.kubectl("-n", namespace, "exec", pod, "-c", "worker", "--", "python3", "-c", script))
