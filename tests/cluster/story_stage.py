"""The story's example on a real control plane: its policies, the operator, their Pods as processes, plain RQ jobs."""

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rq import Queue, Retry

from headgate.gates.door import Door
from tests.processes.store import Store
from tests.recorder.history import Kind, clock
from tests.recorder.runs import Run, runs
from tests.story.world import EXAMPLE
from tests.story.world import World as Story

from .api_pods import running_kubelet
from .control_plane import ControlPlane
from .operator_fixtures import World
from .operator_process import ACCOUNT, NAMESPACE, OperatorProcess, until

POLICIES = EXAMPLE / "policies"
SPEED = 0.25
"""Of the jobs: each takes four times as long, so that two cores can keep all 31 slots busy."""
TENANT = "acme"


class Stage(World):
    """`story` has the store, the record and the producer; `operator` is the process that is logged in as itself."""

    def __init__(self, control_plane: ControlPlane, namespace: str, story: Story, operator: OperatorProcess) -> None:
        super().__init__(control_plane, namespace, story.store.url)
        self.story, self.operator = story, operator

    # ---- jobs ----

    def enqueue(self, queue: str, function: str, count: int, *arguments: Any) -> list[str]:
        """`count` jobs by plain RQ, with the retries that the example's producer gives them. Their ids."""
        ids = []
        with self.story.store.client() as client:
            plain = Queue(queue, connection=client)
            for _ in range(count):
                retry = Retry(max=3, interval=1)
                job = plain.enqueue(f"taskforce.tasks.{function}", TENANT, *arguments, retry=retry)
                self.story.writer.add(Kind.ACKED, job=job.id, queue=queue)
                ids.append(job.id)
        return ids

    def waiting(self, queue: str) -> list[str]:
        """What is in RQ's list, next one first."""
        with self.story.store.client() as client:
            return list(Queue(queue, connection=client).job_ids)

    def lasting_keys(self, queue: str) -> list[str]:
        """What the gates keep of a queue, without what goes by itself."""
        with self.story.store.client() as client:
            found = client.scan_iter(f"rq:hg:*{queue}*")
            return sorted(key.decode() for key in found if client.ttl(key) == -1)

    def history(self, queue: str, jobs: list[str]) -> list[Run]:
        wanted = set(jobs)
        return [run for run in runs(self.story.events()) if run.queue == queue and run.job in wanted]

    def ended(self, jobs: list[str]) -> bool:
        states = self.story.states(jobs)
        return all(states.get(job) == "finished" for job in jobs)

    # ---- pods ----

    def pods(self, policy: str) -> dict[str, dict[str, Any]]:
        """By uid; those that end are among them."""
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=headgate.dev%2Fqueue-policy%3D{policy}"
        return {pod["metadata"]["uid"]: pod for pod in self.control_plane.request("GET", path)["items"]}

    def ready_pods(self, policy: str) -> set[str]:
        """Uids of those that are ready and stay."""
        return {
            uid
            for uid, pod in self.pods(policy).items()
            if "deletionTimestamp" not in pod["metadata"] and _is_ready(pod)
        }

    # ---- the moment a limit holds ----

    def total_is_in_force(self, queue: str, total: int, seconds: float = 20.0) -> tuple[int, int]:
        """Wait until the store has this total for the queue.

        When it was last seen without it and first seen with it, in ns of its clock: the change lies in between.
        """
        deadline = time.monotonic() + seconds
        without = time.time_ns()
        with closing(Door(self.store_url)) as door:
            while time.monotonic() < deadline:
                asked = time.time_ns()
                found = door.read_document(queue)
                if found and found[1].total == total:
                    return without, time.time_ns()
                without = asked
                time.sleep(0.002)
        raise AssertionError(f"{queue}: total {total} is not in the store after {seconds:g} s")


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def wall_clock(at: int) -> int:
    """A time of the record as ns of this machine's wall clock, which is the store's as well."""
    return at + time.time_ns() - clock()


@contextmanager
def stage(control_plane: ControlPlane, folder: Path) -> Iterator[Stage]:
    """All of it running, the policies not yet applied. `control_plane` has Headgate installed."""
    namespace = f"story-{secrets.token_hex(3)}"
    control_plane.create_namespace(namespace)
    account = control_plane.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
    with Story(folder, speed=SPEED, store=Store(folder / "store")) as story:
        operator = OperatorProcess("story", folder, account, story.store.url)
        made = Stage(control_plane, namespace, story, operator)
        made.kubectl("create", "secret", "generic", "headgate-store", f"--from-literal=url={story.store.url}")
        try:
            operator.start()
            until(lambda: operator.settled, "the operator leads and has listed everything")
            with kubelet(control_plane, namespace, folder):
                yield made
        finally:
            operator.kill()
            control_plane.start_apiserver()
            made.kubectl("delete", "queuepolicy,httppolicy,budget", "--all", "--wait=false")
            control_plane.request("DELETE", f"/api/v1/namespaces/{namespace}")


@contextmanager
def kubelet(control_plane: ControlPlane, namespace: str, folder: Path) -> Iterator[None]:
    """`running_kubelet` beside a test that blocks: in a thread of its own, from enter to exit. Output to pods.log."""
    environ = {
        **os.environ,
        "TASKFORCE_RECORD": str(folder / "record"),
        "TASKFORCE_SPEED": str(SPEED),
        "HEADGATE_LOG_LEVEL": "warning",
    }
    entered, left = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        with (folder / "pods.log").open("a", buffering=1) as log:
            running = running_kubelet(
                control_plane,
                namespace,
                folder,
                app=EXAMPLE,
                environ=environ,
                say=lambda pod, line: print(pod, line, file=log),
            )
            async with running:
                loops.append(asyncio.get_running_loop())
                entered.set()
                await left.wait()

    with ThreadPoolExecutor(1, thread_name_prefix="kubelet") as thread:
        ended = thread.submit(lambda: asyncio.run(run()))
        until(lambda: entered.is_set() or ended.done(), "the kubelet runs")
        try:
            yield
        finally:
            for loop in loops:
                loop.call_soon_threadsafe(left.set)
            ended.result(60)
