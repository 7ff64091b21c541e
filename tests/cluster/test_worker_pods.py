"""The very Pods that `headgate.desired` emits, made by a real Deployment controller, work a queue under `pods.py`."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import redis
import rq

from headgate.control.stores import StoreEntry, WorkerDefaults
from headgate.desired.children import children
from headgate.desired.documents import queue_document
from headgate.desired.wanted import Wanted
from headgate.gates.door import Door
from headgate.model.parse import parse
from headgate.model.queue_policy import QueuePolicy
from tests.cli.conftest import eventually  # noqa: F401  a fixture
from tests.processes.worker import publish

from .api_pods import running_kubelet
from .control_plane import ControlPlane

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
DRAIN_SECONDS = 20
APP = """
import time

def work(journal, seconds):
    time.sleep(seconds)
    with open(journal, "a") as file:
        file.write("done\\n")
"""


@pytest.fixture
def policy(namespace: str) -> QueuePolicy:
    spec = {"concurrency": {"perWorker": 2, "total": 1}, "workers": {"drainSeconds": DRAIN_SECONDS}}
    metadata = {"name": "emails", "namespace": namespace}
    found = parse({"apiVersion": "headgate.dev/v1alpha1", "kind": "QueuePolicy", "metadata": metadata, "spec": spec})
    assert isinstance(found, QueuePolicy)
    return found


@pytest.fixture
async def kubelet(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[None]:
    (tmp_path / "tiny.py").write_text(APP)
    async with running_kubelet(control_plane, namespace, tmp_path, app=tmp_path):
        yield


async def test_a_worker_pod_gets_ready_works_and_drains(
    control_plane: ControlPlane,
    policy: QueuePolicy,
    kubelet: None,
    valkey_url: str,
    tmp_path: Path,
    eventually: Eventually,  # noqa: F811
) -> None:
    namespace, journal = policy.metadata.namespace, tmp_path / "journal"

    def kubectl(*arguments: str, stdin: str | None = None) -> str:
        return control_plane.kubectl(*arguments, "-n", namespace, stdin=stdin)

    publish(valkey_url, queue_document(policy))
    kubectl("create", "secret", "generic", "headgate-store", f"--from-literal=url={valkey_url}")
    wanted = Wanted(policy, StoreEntry("default"), WorkerDefaults(image="worker:1"), replicas=1)
    for child in children(wanted):
        orphan = {**child.manifest, "metadata": {**child.manifest["metadata"], "ownerReferences": []}}
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(orphan))

    async def the_deployment_is_available() -> bool:
        status = json.loads(kubectl("get", "deployment", "emails-worker", "-o", "json"))["status"]
        return bool(status.get("availableReplicas") == 1)

    await eventually(the_deployment_is_available)
    with closing(redis.Redis.from_url(valkey_url)) as connection:
        queue = rq.Queue("emails", connection=connection)
        jobs = [queue.enqueue("tiny.work", str(journal), 0.1) for _ in range(3)]

        async def all_are_finished() -> bool:
            return all(job.get_status(refresh=True) == "finished" for job in jobs)

        await eventually(all_are_finished)
        last = queue.enqueue("tiny.work", str(journal), 2)

        async def it_runs() -> bool:
            return bool(last.get_status(refresh=True) == "started")

        await eventually(it_runs)
        kubectl("delete", "deployment", "emails-worker")

        async def no_pod_is_left() -> bool:
            return not kubectl("get", "pods", "-o", "name")

        await eventually(no_pod_is_left)
        assert last.get_status(refresh=True) == "finished"
    with closing(Door(valkey_url)) as door:
        assert not door.inspect().queues["emails"].instances
