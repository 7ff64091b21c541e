"""A task that takes longer than its schedule allows, on the real CronJob and Job controllers, with real minutes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headgate.gates.door import Door
from headgate.gates.runs import TaskState

from .api_pods import running_kubelet
from .control_plane import ControlPlaneError
from .operator_fixtures import World
from .operator_process import OperatorProcess, periodic_task, until

pytestmark = pytest.mark.cluster
SECONDS = 75
APP = """
import time

def sync(journal, seconds):
    with open(journal, "a") as file:
        file.write(f"began {time.monotonic()}\\n")
    time.sleep(seconds)
    with open(journal, "a") as file:
        file.write(f"ended {time.monotonic()}\\n")
"""


def task(name: str, **spec: Any) -> str:
    return periodic_task(name, **{"function": "tiny.sync", **spec})


def state_of(world: World, name: str) -> TaskState | None:
    with closing(Door(world.store_url)) as door:
        return door.inspect_tasks().get(f"{world.namespace}/{name}")


def job(world: World, name: str) -> dict[str, Any]:
    return dict(json.loads(world.kubectl("get", "job", name, "-o", "json")).get("status", {}))


def events(world: World, reason: str) -> list[str]:
    found = json.loads(world.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    return [item["note"] for item in found if item["reason"] == reason and item["regarding"]["kind"] == "PeriodicTask"]


def test_a_task_becomes_a_cron_job_and_back(world: World, operator: OperatorProcess) -> None:
    """With the operator's own rights; drift is put right, and a deletion takes all of it."""
    world.apply(task("sync", stopPolicy="Hold"))
    world.await_condition("periodictask/sync", "Ready", "True", "Held")
    found = world.get("cronjob/sync")
    assert found
    assert (found["spec"]["concurrencyPolicy"], found["spec"]["suspend"]) == ("Forbid", True)
    world.patch("cronjob/sync", concurrencyPolicy="Allow")
    until(lambda: (world.get("cronjob/sync") or {})["spec"]["concurrencyPolicy"] == "Forbid", "the drift is repaired")
    world.patch("periodictask/sync", schedule="* * * * 7")
    world.await_condition("periodictask/sync", "Accepted", "False", "InvalidSchedule")
    world.kubectl("delete", "periodictask/sync", "--timeout=10s")
    until(lambda: world.get("cronjob/sync") is None, "the CronJob is gone")
    until(lambda: state_of(world, "sync") is None, "the document is gone")


def test_the_admission_policy_asks_the_requester_for_the_right_to_create_cron_jobs(world: World) -> None:
    """Whoever may write a task makes a pod that calls anything, with the worker's Secrets."""
    rules = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "author"},
        "rules": [{"apiGroups": ["headgate.dev"], "resources": ["periodictasks"], "verbs": ["*"]}],
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(rules))
    world.kubectl("create", "serviceaccount", "author")
    world.kubectl("create", "rolebinding", "author", "--role=author", f"--serviceaccount={world.namespace}:author")
    author = world.control_plane.kubeconfig_for_service_account(world.namespace, "author")

    def refused() -> bool:  # the API server takes a moment to see a new policy
        try:
            world.control_plane.kubectl("apply", "-f", "-", stdin=task("evil"), kubeconfig=author)
        except ControlPlaneError as error:
            return "you need permission to create CronJobs in this namespace" in str(error)
        world.kubectl("delete", "periodictask/evil")
        return False

    until(refused, "the task is refused")
    world.apply(task("theirs"))
    labelled = {**json.loads(task("theirs")), "metadata": {"name": "theirs", "labels": {"a": "b"}}}
    world.control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(labelled), kubeconfig=author)


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_runs_never_overlap_however_they_are_started(
    world: World,
    operator: OperatorProcess,
    new_operator: Callable[..., OperatorProcess],
    tmp_path: Path,
) -> None:
    app, journal = tmp_path / "app", tmp_path / "journal"
    app.mkdir()
    (app / "tiny.py").write_text(APP)
    said: list[str] = []

    def words() -> list[str]:
        return [line.split()[0] for line in journal.read_text().splitlines()] if journal.exists() else []

    async def comes(holds: Callable[[], Any], what: str, seconds: float) -> None:
        await asyncio.to_thread(until, holds, f"{what}; pods said:\n" + "\n".join(said[-20:]), seconds)

    async with running_kubelet(
        world.control_plane, world.namespace, tmp_path, app=app, say=lambda pod, line: said.append(f"{pod}: {line}")
    ):
        world.kubectl("create", "secret", "generic", "headgate-store", f"--from-literal=url={world.store_url}")
        world.apply(task("sync", args=[str(journal), SECONDS], deadlineSeconds=200))
        await comes(lambda: words() == ["began"], "the first run", 100)
        await asyncio.to_thread(world.kubectl, "create", "job", "--from=cronjob/sync", "by-hand")
        await comes(lambda: job(world, "by-hand").get("succeeded"), "the run by hand ends well", 30)
        assert any(line.startswith("by-hand-") and "already running, skipping" in line for line in said)
        operator.kill()
        world.control_plane.controller_manager.kill()
        await asyncio.to_thread(world.control_plane.controller_manager.start)
        again = new_operator("two")
        await asyncio.to_thread(again.start)
        await comes(lambda: len(words()) >= 3, "the second run", 200)
        await comes(lambda: (state_of(world, "sync") or TaskState).skipped == 1, "the skipped tick is counted", 40)
        await comes(lambda: len(events(world, "RunSkipped")) == 1, "it is told once", 30)
        assert words()[:3] == ["began", "ended", "began"], "one at a time"
        status = (world.get("periodictask/sync") or {})["status"]
        assert status["skipped"] == 1
        assert status["lastDurationSeconds"] >= SECONDS
        world.kubectl("delete", "periodictask/sync", "--timeout=10s")
        await comes(lambda: world.get("cronjob/sync") is None, "the CronJob is gone", 60)
