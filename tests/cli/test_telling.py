"""What a person at the terminal of `headgate up` is told: the status line, and conditions that need them."""

import io
from dataclasses import replace
from typing import Any

from headgate.control.ports import HTTP_POLICY, QUEUE_POLICY, Manifest
from headgate.gates.http import RuleCounts, SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import QueueState, StoreState
from headgate.model.documents import HttpDocument, HttpRule, TaskDocument
from headgate_cli.local.conditions import ConditionTeller
from headgate_cli.local.console import Console
from headgate_cli.local.memory_cluster import MemoryCluster
from headgate_cli.local.status_line import status_line

IDLE = QueueState("emails", 3, None, 0, 0, 0, (), (), (), "", None)
POLICY: Manifest = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "QueuePolicy",
    "metadata": {"name": "emails", "namespace": "local"},
    "spec": {},
}


def state(*queues: QueueState, quarantine_until: int = 0) -> StoreState:
    return StoreState(10_000, "e", 1, quarantine_until, {queue.queue: queue for queue in queues}, {}, {})


def line(*queues: QueueState, **more: Any) -> str:
    return status_line(state(*queues, **more), {"emails": 3, "reports": 2}, 5)


def test_idle_queues_are_left_out_and_those_of_others_too() -> None:
    assert line(IDLE, replace(IDLE, queue="theirs", running=7)) == "0 of 5 running"


def test_a_queue_shows_running_of_bound_what_waits_and_what_holds_it() -> None:
    held = replace(IDLE, running=3, queued=12, blocked_by="concurrency.total")
    later = replace(IDLE, queue="reports", queued=1, blocked_by="rate.total", blocked_until=13_000)
    assert line(held, later) == (
        "3 of 5 running | emails 3/3 +12 held by concurrency.total | reports 0/2 +1 held by rate.total for 3 s"
    )


def test_quarantine_and_foreign_workers_stand_out() -> None:
    seen = line(replace(IDLE, running=1, foreign_workers=("stock.1",)), quarantine_until=22_000)
    assert seen == "1 of 5 running | QUARANTINE for 12 s | emails 1/3 NOT ENFORCED: stock.1"


def test_surfaces_show_whom_they_refused_and_are_left_out_when_nobody() -> None:
    document = HttpDocument(surface="api", rules=(HttpRule(name="general", in_flight=1),))
    quiet = SurfaceState("web", 1, document, {"general": RuleCounts(allowed=9)})
    busy = SurfaceState("api", 1, document, {"general": RuleCounts(denied=17), "auth": RuleCounts(denied=2)})
    assert status_line(state(), {}, 5, [quiet, busy]) == "0 of 5 running | api refused 17 by general, 2 by auth"


def test_tasks_show_what_runs_what_failed_and_what_was_skipped() -> None:
    quiet = TaskState("local/quiet", 1, TaskDocument(name="local/quiet", schedule="* * * * *", function="a.b"))
    runs = replace(quiet, name="local/sync", running="sync-1", running_since=4_000, last_outcome="failed", skipped=3)
    begins = replace(quiet, name="local/mail", running="mail-1", running_since=9_900)
    failed = replace(quiet, name="local/clean", last_outcome="failed")
    late = replace(quiet, name="local/late", last_outcome="deadline")
    assert status_line(state(), {}, 5, (), [quiet, replace(quiet, last_outcome="ok")]) == "0 of 5 running"
    assert status_line(state(), {}, 5, (), [runs, begins, failed, late]) == (
        "0 of 5 running | sync runs for 6 s, skipped 3 | mail runs | clean FAILED | late FAILED (deadline)"
    )


class Told:
    """A policy whose status a test writes, and what was said about it."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self.lines: list[str] = []
        self._cluster = cluster
        ConditionTeller(cluster, self.lines.append, self.lines.append)

    async def see(self, *conditions: tuple[str, str, str]) -> list[str]:
        """What is said when these (type, status, reason) are the conditions now."""
        self.lines.clear()
        manifest = await self._cluster.put(QUEUE_POLICY, POLICY)
        listed = [{"type": t, "status": s, "reason": r, "message": f"because of {r}"} for t, s, r in conditions]
        await self._cluster.apply_status(QUEUE_POLICY, manifest, {"conditions": listed})
        return list(self.lines)


async def test_a_wrong_condition_is_told_once_and_so_is_its_end(memory_cluster: MemoryCluster) -> None:
    told = Told(memory_cluster)
    wrong = ("Accepted", "False", "BudgetNotFound")
    assert await told.see(wrong) == ["QueuePolicy emails: BudgetNotFound: because of BudgetNotFound"]
    assert await told.see(wrong, ("Enforced", "False", "NotPublished")) == []
    assert await told.see(("Accepted", "True", "Valid")) == ["QueuePolicy emails: Accepted is well again"]


async def test_a_normal_start_is_quiet_until_everything_is_in_force(memory_cluster: MemoryCluster) -> None:
    told = Told(memory_cluster)
    assert await told.see(("Enforced", "False", "PartiallyAcknowledged"), ("Ready", "False", "Progressing")) == []
    ready = (("Enforced", "True", "AllAcknowledged"), ("Ready", "True", "InForce"))
    assert await told.see(*ready) == ["1 queue is served, all limits are in force"]
    assert await told.see(*ready, ("Degraded", "False", "AsExpected")) == []


async def test_surfaces_are_counted_beside_queues(memory_cluster: MemoryCluster) -> None:
    told = Told(memory_cluster)
    ready = {"type": "Ready", "status": "True", "reason": "InForce", "message": ""}
    for name in ("api", "web"):
        spec = {"rules": [{"name": "general", "inFlight": 1}]}
        policy = {**POLICY, "kind": "HTTPPolicy", "metadata": {**POLICY["metadata"], "name": name}, "spec": spec}
        stored = await memory_cluster.put(HTTP_POLICY, policy)
        await memory_cluster.apply_status(HTTP_POLICY, stored, {"conditions": [ready]})
    said = await told.see(("Ready", "True", "InForce"))
    assert said == ["1 queue is served, 2 HTTP surfaces are published, all limits are in force"]


def test_each_source_has_its_name_in_front() -> None:
    output = io.StringIO()
    console = Console(output)
    console.say("follow-ups-worker-5d8f9cabcd-x2k9q", "ready [bold]as it is[/bold]")
    console.say("", "a line of our own")
    assert output.getvalue() == "follow-ups-x2k9q  | ready [bold]as it is[/bold]\na line of our own\n"
