"""Reconcile of PeriodicTask: a CronJob, a document, ticks that were skipped, and a status that explains them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate.control.ports import CRON_JOB, PERIODIC_TASK, Key, Manifest
from headgate.gates.runs import Begin, Begun
from headgate.names import TASK_LABEL

from .doubles import START
from .world import World

MINUTE = 60.0
BASE = {
    "schedule": "* * * * *",
    "function": "app.tasks.sync",
    "template": {"spec": {"containers": [{"name": "worker", "image": "registry.example/app:1"}]}},
}


class Tasks:
    """One task, `mail/sync`, and what the controller and a runner would do about it."""

    def __init__(self, world: World) -> None:
        self.world, self.gates = world, world.store.gates

    async def put(self, **spec: Any) -> None:
        base = {key: value for key, value in BASE.items() if key != "template" or "queuePolicyRef" not in spec}
        await self.world.put("sync", kind=PERIODIC_TASK, **{**base, **spec})
        await self.world.settle(prime=True)

    async def task(self) -> Manifest:
        found = await self.world.cluster.get(PERIODIC_TASK, "mail", "sync")
        assert found
        return found

    async def cron_job(self) -> Manifest | None:
        return await self.world.cluster.get(CRON_JOB, "mail", "sync")

    async def conditions(self) -> dict[str, str]:
        status = (await self.task())["status"]
        return {each["type"]: f"{each['status']}/{each['reason']}" for each in status["conditions"]}

    async def message(self, condition: str) -> str:
        status = (await self.task())["status"]
        return str(next(each["message"] for each in status["conditions"] if each["type"] == condition))

    async def status(self) -> Manifest:
        status: Manifest = (await self.task())["status"]
        return status

    def tick(self, minute: int) -> int:
        return round(START.timestamp() * 1000) + minute * 60_000

    async def scheduled(self, minute: int, *, active: bool) -> None:
        """What the CronJob controller writes when it starts a Job, or sees its end."""
        found = await self.cron_job()
        assert found
        at = START.replace(hour=minute // 60, minute=minute % 60).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {"lastScheduleTime": at, **({"active": [{"name": f"sync-{minute}"}]} if active else {})}
        if not active:
            status["lastSuccessfulTime"] = self.world.clock.now()
        await self.world.cluster.apply_status(CRON_JOB, found, status)

    def begin(self, minute: int | None, run: str = "a") -> int:
        answer = self.gates.begin_run(Begin("mail/sync", run, "pod", None if minute is None else self.tick(minute)))
        assert isinstance(answer, Begun), answer
        return answer.fence

    async def run_for(self, run: str, fence: int, seconds: float) -> None:
        """The runner renews, the operator looks, every five seconds."""
        for _ in range(round(seconds / 5)):
            self.world.clock.seconds += 5
            self.world.store._tick()
            assert self.gates.renew_run("mail/sync", run, fence)
            await self.world.controller.observe()
            self.world.controller.queue.add(Key(PERIODIC_TASK, "mail", "sync"))
            await self.world.controller.work_off()

    def events(self) -> list[str]:
        return [event.message for event in self.world.cluster.events if event.reason == "RunSkipped"]


@pytest.fixture
def tasks() -> Tasks:
    return Tasks(World())


async def test_a_task_gets_a_cron_job_and_a_document(tasks: Tasks) -> None:
    await tasks.put()
    found = await tasks.cron_job()
    assert found
    assert found["spec"]["concurrencyPolicy"] == "Forbid"
    assert tasks.gates.inspect_tasks()["mail/sync"].document.function == "app.tasks.sync"
    assert await tasks.conditions() == {
        "Accepted": "True/Valid",
        "Scheduled": "True/CronJobApplied",
        "Healthy": "True/NeverRan",
        "Ready": "True/InForce",
    }
    status = await tasks.status()
    assert (status["cronJobName"], status["active"], status["skipped"], status["revision"]) == ("sync", 0, 0, 1)


async def test_nothing_is_written_when_nothing_changes(tasks: Tasks) -> None:
    await tasks.put()
    await tasks.scheduled(0, active=False)
    await tasks.world.settle()
    before = list(tasks.world.cluster.writes), list(tasks.world.store.writes)
    for _ in range(3):
        await tasks.world.later(300)
    assert (tasks.world.cluster.writes, tasks.world.store.writes) == before


async def test_the_policys_queue_and_template_are_used(tasks: Tasks) -> None:
    await tasks.world.put("campaigns", queue="campaigns.v2")
    await tasks.put(type="Enqueue", queuePolicyRef={"name": "campaigns"})
    assert tasks.gates.inspect_tasks()["mail/sync"].document.queue == "campaigns.v2"
    assert (await tasks.conditions())["Accepted"] == "True/Valid"


async def test_a_policy_that_appears_later_is_found(tasks: Tasks) -> None:
    await tasks.put(queuePolicyRef={"name": "campaigns"})
    assert (await tasks.conditions())["Accepted"] == "False/QueuePolicyNotFound"
    assert "there is no QueuePolicy mail/campaigns" in await tasks.message("Accepted")
    assert await tasks.cron_job() is None
    await tasks.world.put("campaigns")
    tasks.world.controller.changed(PERIODIC_TASK, "mail", "sync")
    await tasks.world.settle(prime=True)
    assert (await tasks.conditions())["Ready"] == "True/InForce"


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"schedule": "* * * * 7"}, "InvalidSchedule", "spec.schedule: '7' is no day of week"),
        ({"timeZone": "Mars/Base"}, "InvalidSchedule", "spec.timeZone: 'Mars/Base' is not in the tz database"),
        (
            {"template": {"spec": {"containers": [{"name": "worker", "command": ["sh"]}]}}},
            "TemplateForbidden",
            "spec.template.spec.containers[worker].command",
        ),
        ({"template": {"spec": {"volumes": "none"}}}, "TemplateInvalid", "spec.template.spec.volumes: must be a list"),
    ],
)
async def test_a_mistake_is_said_and_leaves_what_was_good(
    tasks: Tasks, spec: dict[str, Any], reason: str, words: str
) -> None:
    await tasks.put()
    good = await tasks.cron_job()
    await tasks.put(**spec)
    assert (await tasks.conditions())["Accepted"] == f"False/{reason}"
    assert words in await tasks.message("Accepted")
    after = await tasks.cron_job()
    assert good
    assert after
    assert after["spec"] == good["spec"]
    assert tasks.gates.inspect_tasks()["mail/sync"].revision == 1


@pytest.mark.parametrize(("guarded", "listed"), [(True, False), (False, True), (False, False)])
async def test_a_function_must_be_listed_where_there_is_a_list_or_no_guard(guarded: bool, listed: bool) -> None:
    world = World()
    world.site = replace(world.site, admission_policy=guarded)
    world.restart()
    tasks = Tasks(world)
    jobs = {"payload": "JSON", "functions": ["app.tasks.sync" if listed else "app.tasks.other"]}
    await world.put("campaigns", jobs=jobs)
    await tasks.put(queuePolicyRef={"name": "campaigns"})
    expected = "True/Valid" if listed else "False/FunctionNotAllowed"
    assert (await tasks.conditions())["Accepted"] == expected


async def test_without_a_guard_a_task_needs_a_list(tasks: Tasks) -> None:
    tasks.world.site = replace(tasks.world.site, admission_policy=False)
    tasks.world.restart()
    await tasks.world.put("campaigns")
    await tasks.put(queuePolicyRef={"name": "campaigns"})
    assert (await tasks.conditions())["Accepted"] == "False/FunctionNotAllowed"


async def test_a_store_that_nobody_set_up_is_named(tasks: Tasks) -> None:
    await tasks.put(store="nowhere")
    assert (await tasks.conditions())["Accepted"] == "False/StoreUnknown"
    assert "nowhere is no store of namespace mail" in await tasks.message("Accepted")
    assert await tasks.cron_job() is None


async def test_hold_suspends_and_is_ready(tasks: Tasks) -> None:
    await tasks.put(stopPolicy="Hold")
    found = await tasks.cron_job()
    assert found
    assert found["spec"]["suspend"] is True
    conditions = await tasks.conditions()
    assert (conditions["Scheduled"], conditions["Ready"]) == ("False/Suspended", "True/Held")


async def test_drift_is_repaired_and_a_foreign_cron_job_is_left_alone(tasks: Tasks) -> None:
    await tasks.put()
    found = await tasks.cron_job()
    assert found
    found["spec"]["concurrencyPolicy"] = "Allow"
    await tasks.world.cluster.put(CRON_JOB, found)
    await tasks.world.settle()
    after = await tasks.cron_job()
    assert after
    assert after["spec"]["concurrencyPolicy"] == "Forbid"


async def test_a_foreign_cron_job_is_not_touched(tasks: Tasks) -> None:
    theirs = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "sync", "namespace": "mail"},
        "spec": {"schedule": "0 0 * * *"},
    }
    await tasks.world.cluster.put(CRON_JOB, theirs)
    await tasks.put()
    conditions = await tasks.conditions()
    assert (conditions["Scheduled"], conditions["Ready"]) == ("False/NotOwned", "False/NotOwned")
    found = await tasks.cron_job()
    assert found
    assert found["spec"]["schedule"] == "0 0 * * *"


async def test_a_deleted_task_is_unpublished(tasks: Tasks) -> None:
    await tasks.put()
    found = await tasks.task()
    await tasks.world.cluster.delete(PERIODIC_TASK, "mail", "sync", found["metadata"]["uid"])
    await tasks.world.settle()
    assert tasks.gates.inspect_tasks() == {}
    assert tasks.gates.store.tasks == {}


async def test_a_task_deleted_while_the_operator_was_away_is_unpublished(tasks: Tasks) -> None:
    await tasks.put()
    found = await tasks.task()
    tasks.world.deaf = True
    await tasks.world.cluster.delete(PERIODIC_TASK, "mail", "sync", found["metadata"]["uid"])
    tasks.world.restart()
    tasks.world.deaf = False
    await tasks.world.settle(prime=True)
    assert tasks.gates.inspect_tasks() == {}


async def test_every_skipped_tick_is_counted_once_and_told_once(tasks: Tasks) -> None:
    """150 s of work on a one-minute schedule."""
    await tasks.put()
    tasks.world.clock.seconds = 2 * MINUTE + 1
    tasks.world.store._tick()
    fence = tasks.begin(2)
    await tasks.scheduled(2, active=True)
    await tasks.world.settle()
    await tasks.run_for("a", fence, 100)
    assert (await tasks.status())["skipped"] == 1
    await tasks.run_for("a", fence, 50)
    tasks.gates.end_run("mail/sync", "a", fence, "ok")
    await tasks.scheduled(2, active=False)
    await tasks.world.later(20)
    await tasks.world.later(20)
    status = await tasks.status()
    assert (status["skipped"], status["active"], status["lastDurationSeconds"]) == (2, 0, 150)
    assert [event.partition(" (")[0] for event in tasks.events()] == [
        "Already running, skipping the run of 2026-11-24T00:03:00Z",
        "Already running, skipping the run of 2026-11-24T00:04:00Z",
    ]
    assert (await tasks.conditions())["Healthy"] == "True/LastRunSucceeded"


async def test_an_operator_that_was_away_counts_what_it_missed(tasks: Tasks) -> None:
    await tasks.put()
    tasks.world.clock.seconds = 2 * MINUTE + 1
    tasks.world.store._tick()
    fence = tasks.begin(2)
    for _ in range(30):
        tasks.world.clock.seconds += 5
        tasks.world.store._tick()
        assert tasks.gates.renew_run("mail/sync", "a", fence)
    tasks.gates.end_run("mail/sync", "a", fence, "ok")
    await tasks.scheduled(2, active=False)
    tasks.world.restart()
    await tasks.world.later(20)
    assert (await tasks.status())["skipped"] == 2
    tasks.world.restart()
    await tasks.world.later(1)
    assert (await tasks.status())["skipped"] == 2
    assert len(tasks.events()) == 2


async def test_run_late_does_not_count_the_tick_that_will_run(tasks: Tasks) -> None:
    await tasks.put(onOverlap="RunLate")
    tasks.world.clock.seconds = 2 * MINUTE + 1
    tasks.world.store._tick()
    fence = tasks.begin(2)
    await tasks.scheduled(2, active=True)
    await tasks.run_for("a", fence, 150)
    assert (await tasks.status())["skipped"] == 1
    tasks.gates.end_run("mail/sync", "a", fence, "ok")
    tasks.begin(4, "b")
    await tasks.world.later(1)
    assert (await tasks.status())["skipped"] == 1


async def test_what_skips_in_every_cycle_is_said(tasks: Tasks) -> None:
    await tasks.put()
    for minute in (2, 5, 8):
        tasks.world.clock.seconds = minute * MINUTE + 1
        tasks.world.store._tick()
        fence = tasks.begin(minute, f"r{minute}")
        await tasks.scheduled(minute, active=True)
        await tasks.run_for(f"r{minute}", fence, 150)
        tasks.gates.end_run("mail/sync", f"r{minute}", fence, "ok")
        await tasks.scheduled(minute, active=False)
        await tasks.world.later(20)
    conditions = await tasks.conditions()
    assert conditions["Healthy"] == "False/SkipsEveryRun"
    assert conditions["Ready"] == "True/InForce", "slow is not broken"


@pytest.mark.parametrize(("outcome", "words"), [("failed", "failed"), ("deadline", "took longer")])
async def test_a_run_that_failed_shows(tasks: Tasks, outcome: Any, words: str) -> None:
    await tasks.put()
    fence = tasks.begin(None)
    tasks.gates.end_run("mail/sync", "a", fence, outcome)
    await tasks.world.later(1)
    assert (await tasks.conditions())["Healthy"] == "False/LastRunFailed"
    assert words in await tasks.message("Healthy")


async def test_a_pod_that_never_asked_shows(tasks: Tasks) -> None:
    await tasks.put()
    found = await tasks.cron_job()
    assert found
    await tasks.world.cluster.apply_status(CRON_JOB, found, {"lastScheduleTime": "2026-11-24T00:01:00Z"})
    await tasks.world.later(100)
    assert (await tasks.conditions())["Healthy"] == "False/LastRunFailed"
    assert "before its pod asked" in await tasks.message("Healthy")


async def test_a_store_that_is_away_is_said_and_comes_back(tasks: Tasks) -> None:
    from headgate.errors import StoreUnavailable

    await tasks.put()
    tasks.world.store.fault = StoreUnavailable("no reply")
    await tasks.world.later(20)
    await tasks.world.later(20)
    assert (await tasks.conditions())["Healthy"] == "Unknown/StoreUnreachable"
    tasks.world.store.fault = None
    await tasks.world.later(20)
    assert (await tasks.conditions())["Healthy"] == "True/NeverRan"


async def test_the_cron_job_names_its_task(tasks: Tasks) -> None:
    await tasks.put()
    found = await tasks.cron_job()
    assert found
    assert found["metadata"]["labels"][TASK_LABEL] == "sync"
