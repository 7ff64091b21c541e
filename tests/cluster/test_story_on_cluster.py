"""The story on a real control plane: the example applied, changed, broken and deleted while its jobs run.

The Pods of real Deployments are processes of this machine; what ran when is the word of the jobs' own record alone.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.recorder import accounts
from tests.recorder.grants import Grants
from tests.recorder.history import Kind, clock
from tests.recorder.overlap import Limit, above, at_once, peak
from tests.recorder.runs import Run
from tests.story import promises
from tests.story.world import QUEUES

from .control_plane import ControlPlane
from .operator_process import until
from .story_stage import POLICIES, Stage, stage, wall_clock

pytestmark = [pytest.mark.cluster, pytest.mark.store, pytest.mark.slow]


@pytest.fixture(scope="module")
def taskforce(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The whole example, once for all tests here: each of them changes a policy of its own."""
    with stage(installed, tmp_path_factory.mktemp("story")) as made:
        began = time.monotonic()
        made.kubectl("apply", "-f", str(POLICIES))
        made.kubectl("wait", "--for=condition=Ready", "queuepolicy,budget", "--all", "--timeout=90s")
        print(f"all Ready {time.monotonic() - began:.1f} s after `kubectl apply`")
        yield made


def test_the_applied_example_works_all_its_queues_and_keeps_all_its_promises(taskforce: Stage) -> None:
    for queue in QUEUES:
        assert len(taskforce.ready_pods(queue)) == 1
        assert taskforce.condition(f"queuepolicy/{queue}", "Enforced") == ("True", "AllAcknowledged")
    bounds = {queue: taskforce.status(queue)["capacity"]["bound"] for queue in QUEUES}
    assert bounds == promises.SLOTS
    assert sum(bounds.values()) == promises.AT_ONCE
    began = clock()
    with Grants(taskforce.store_url) as grants:
        assert taskforce.story.produce(150, 240).wait(60) == 0
        until(lambda: not any(taskforce.story.left().values()), "all jobs have ended", 60)
        events, seen = [event for event in taskforce.story.events() if event.at >= began], list(grants.seen)
    acked = accounts.acknowledged(events)
    assert len(acked) == 240
    assert {event.queue for event in events if event.kind is Kind.START} == set(QUEUES)
    assert promises.broken(events, seen) == []
    assert promises.unaccounted(events, taskforce.story.states(acked)) == []


def test_the_columns_tell_a_person_what_holds(taskforce: Stage) -> None:
    text = taskforce.kubectl("get", "queuepolicies,budgets", "-o", "wide")
    print(text)
    policies, budgets = (table(part) for part in text.strip().split("\n\n"))
    assert {row["NAME"].rpartition("/")[2] for row in policies} == set(QUEUES)
    for row in policies:
        assert row.pop("NAME").endswith(f"/{row['QUEUE']}")
        assert re.fullmatch(r"\d+[sm](\d+s)?", row.pop("AGE"))
        slots = str(promises.SLOTS[row.pop("QUEUE")])
        assert row == {
            "STOP": "None", "BOUND": slots, "WORKERS": "1", "ENFORCED": "1/1", "READY": "True", "REASON": "InForce",
            "BY": "slots", "DRAINING": "0", "MODE": "Enforce",
        }  # fmt: skip
    (budget,) = budgets
    assert (budget["CONCURRENCY"], budget["RATE"], budget["PER"], budget["DEMAND"]) == ("13", "60", "1", "13")
    assert budget["READY"] == "True"


def test_a_lowered_total_kills_nothing_and_holds_from_the_next_start_on(taskforce: Stage) -> None:
    """10 -> 2 under load, and back."""
    taskforce.patch("queuepolicy/campaigns", concurrency={"total": 10}, workers={"replicas": 2})
    until(lambda: len(taskforce.ready_pods("campaigns")) == 2, "two pods are ready", 40)
    pods = taskforce.ready_pods("campaigns")
    with Grants(taskforce.store_url) as grants:
        jobs = taskforce.enqueue("campaigns", "send_campaign", 120, 1, "r1")
        until(lambda: len(taskforce.story.running("campaigns")) == 10, "ten run")
        _, lowered = change_total(taskforce, "campaigns", 2)
        until(lambda: len(taskforce.story.running("campaigns")) <= 2, "eight have ended")
        time.sleep(1)
        raised, _ = change_total(taskforce, "campaigns", 10)
        until(lambda: taskforce.ended(jobs), "all jobs have ended", 60)
        history = granted(taskforce.history("campaigns", jobs), grants)
    assert taskforce.ready_pods("campaigns") == pods
    assert restarts(taskforce, "campaigns") == 0
    assert {run.outcome for run in history} <= {"ok", "failed", "limited"}, "nothing was killed"
    assert accounts.unexplained(history) == {}
    during = [run for run in history if lowered < run.started < raised]
    assert sum(run.started <= lowered < run.ended for run in history) > 2, "more ran when the new total came"
    assert above(history, Limit(((0, 10), (lowered, 2), (raised, 10)))) == []
    assert max(running for run, running in at_once(history) if lowered < run.started < raised) == 2
    assert len(during) > 3
    assert peak([run for run in history if run.started > raised]) > 2


def test_a_deleted_deployment_comes_back_and_loses_no_job(taskforce: Stage) -> None:
    jobs = taskforce.enqueue("sync", "sync_mailbox", 24, "box1")
    until(lambda: len(taskforce.story.running("sync")) == 3, "three run")
    before = taskforce.get("deployment/sync-worker")
    pods = set(taskforce.pods("sync"))
    deleted = time.monotonic()
    taskforce.kubectl("delete", "deployment", "sync-worker")

    def back() -> bool:
        found = taskforce.get("deployment/sync-worker")
        return bool(found) and found["metadata"]["uid"] != before["metadata"]["uid"]

    until(back, "the Deployment is back", 20)
    print(f"the Deployment was back after {time.monotonic() - deleted:.2f} s")
    until(lambda: taskforce.ended(jobs), "all jobs have ended", 60)
    assert pods.isdisjoint(taskforce.ready_pods("sync"))
    kept_its_word(taskforce, "sync", jobs, at_most=3 * 2)  # for a moment the old and the new pod


def test_scaling_moves_the_pods_and_never_the_total(taskforce: Stage) -> None:
    jobs = taskforce.enqueue("imports", "import_contacts", 60, 300)
    until(lambda: taskforce.story.running("imports"), "they run")
    taskforce.kubectl("scale", "queuepolicy", "imports", "--replicas=3")
    until(lambda: len(taskforce.ready_pods("imports")) == 3, "three pods are ready", 40)
    path = f"/apis/headgate.dev/v1alpha1/namespaces/{taskforce.namespace}/queuepolicies/imports/scale"
    until(lambda: taskforce.control_plane.request("GET", path)["status"]["replicas"] == 3, "/scale says so")
    selector = taskforce.control_plane.request("GET", path)["status"]["selector"]
    assert len(taskforce.kubectl("get", "pods", "-l", selector, "-o", "name").split()) == 3
    assert taskforce.status("imports")["capacity"] == {"slots": 9, "bound": 3, "boundBy": "total"}
    jobs += taskforce.enqueue("imports", "import_contacts", 60, 300)
    time.sleep(0.5)
    assert len(taskforce.waiting("imports")) > 3, "all nine slots could have had one"
    taskforce.kubectl("scale", "queuepolicy", "imports", "--replicas=1")
    until(lambda: len(taskforce.pods("imports")) == 1, "two pods have drained", 40)
    until(lambda: taskforce.ended(jobs), "all jobs have ended", 60)
    kept_its_word(taskforce, "imports", jobs, at_most=3)


def test_a_deleted_policy_drains_its_workers_and_leaves_the_queue_to_rq(taskforce: Stage) -> None:
    manifest = taskforce.get("queuepolicy/webhooks")
    jobs = taskforce.enqueue("webhooks", "deliver_webhook", 60, "hook1")
    until(lambda: len(taskforce.story.running("webhooks")) == 3, "three run")
    taskforce.kubectl("delete", "queuepolicy", "webhooks", "--timeout=10s")
    until(lambda: taskforce.document("webhooks") is None, "the document is gone", 20)
    unpublished = clock()
    until(lambda: not taskforce.pods("webhooks"), "the pods have ended", 40)
    assert taskforce.get("deployment/webhooks-worker") is None
    history = taskforce.history("webhooks", jobs)
    assert max(run.started for run in history) < unpublished + LATE_ON_RECORD
    assert {run.outcome for run in history} <= {"ok", "failed"}, "what ran has ended by itself"
    others = set(jobs) - {run.job for run in history}
    assert others, "jobs were waiting when the policy went"
    assert others <= set(taskforce.waiting("webhooks")), "they wait in RQ's list"
    assert taskforce.lasting_keys("webhooks") == []
    assert manifest
    again = {key: manifest[key] for key in ("apiVersion", "kind", "spec")}
    taskforce.apply(json.dumps({**again, "metadata": {"name": "webhooks"}}))
    until(lambda: taskforce.ended(jobs), "all jobs have ended once there is a policy again", 60)
    kept_its_word(taskforce, "webhooks", jobs, at_most=3)


LATE_ON_RECORD = 500_000_000
"""ns: a start is on record a moment after its grant, on a busy machine a long one."""


def change_total(taskforce: Stage, policy: str, total: int) -> tuple[int, int]:
    """Patch it; the moments between which the store took it. Tells how long it took until all had acknowledged it."""
    began = time.monotonic()
    taskforce.patch(f"queuepolicy/{policy}", concurrency={"total": total})
    patched = time.monotonic() - began
    moments = taskforce.total_is_in_force(policy, total)
    in_force = time.monotonic() - began
    pods = len(taskforce.ready_pods(policy))

    def acknowledged() -> bool:
        enforcement = taskforce.status(policy)["enforcement"]
        return (
            taskforce.condition(f"queuepolicy/{policy}", "Enforced") == ("True", "AllAcknowledged")
            and enforcement["summary"] == f"{pods}/{pods}"
        )

    until(acknowledged, f"{pods} of {pods} workers have it in use", 20)
    acked = time.monotonic() - began
    print(f"total {total}: kubectl {patched:.2f} s, in force {in_force:.2f} s, Enforced {pods}/{pods} {acked:.2f} s")
    return moments


def granted(history: list[Run], grants: Grants) -> list[Run]:
    """The runs from their grant on, in ns of the store's clock, so that starts and a change of limits have one order.

    A place is taken from the grant to the finish: these intervals lie within, so what overlaps here did so there.
    """
    times: dict[str, list[int]] = {}
    for grant in grants.seen:
        times.setdefault(grant.job, []).append(grant.at)
    return [replace(run, started=times[run.job].pop(0), ended=wall_clock(run.ended)) for run in history]


def kept_its_word(taskforce: Stage, queue: str, jobs: list[str], *, at_most: int) -> None:
    """Never more at once, none killed, none lost, none done twice."""
    history = taskforce.history(queue, jobs)
    assert above(history, at_most) == []
    assert {run.outcome for run in history} <= {"ok", "failed"}
    assert accounts.lost(jobs, taskforce.story.states(jobs)) == {}
    assert accounts.succeeded_twice(history) == set()
    assert accounts.unexplained(history) == {}


def restarts(taskforce: Stage, policy: str) -> int:
    statuses = [pod["status"]["containerStatuses"][0] for pod in taskforce.pods(policy).values()]
    return sum(int(status["restartCount"]) for status in statuses)


def table(text: str) -> list[dict[str, str]]:
    """A table of kubectl; no cell of it may be empty."""
    head, *rows = (line.split() for line in text.strip().splitlines())
    assert all(len(row) == len(head) for row in rows), text
    return [dict(zip(head, row, strict=True)) for row in rows]
