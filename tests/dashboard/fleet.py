"""A fleet in a store, played: policies, jobs of RQ, and workers that claim, renew and finish, all at a chosen pace."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import redis
from rq import Queue
from rq.job import Job, JobStatus

from headgate.gates.door import Door
from headgate.gates.http import Admit, Allowed, RequestsBeat
from headgate.gates.runs import Begin, Begun
from headgate.gates.verbs import Beat, Claim, Done, Finish, Grant, Holding, Owner, SlotBeat
from headgate.model.documents import (
    BudgetDocument,
    BudgetShare,
    Document,
    HttpDocument,
    HttpMatch,
    HttpRule,
    PathMatch,
    QueueDocument,
    RateDocument,
    TaskDocument,
)

DONE = Done(b"gASVAgAAAAAAAACMAJQu", 500, "2026-11-24T23:11:38.000042Z", "2026-11-24T23:11:38.100042Z")
_numbers = itertools.count(1)


@dataclass
class Pod:
    """One worker of a queue; `running` by slot name."""

    queue: str
    name: str
    slots: int
    revision: int
    running: dict[str, Grant] = field(default_factory=dict)

    def slot_names(self) -> list[str]:
        return [f"{self.name}.{index}" for index in range(self.slots)]


class Fleet:
    """Not for several threads: `alive()` renews in one of its own, over a door of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: redis.Redis = redis.Redis.from_url(url)
        self.door = Door(url)
        self.pods: list[Pod] = []
        self.surfaces: list[str] = []

    def close(self) -> None:
        self.door.close()
        self.client.close()

    def declare(self, document: Document) -> int:
        owner = Owner(
            f"shop/{document.name.rpartition('/')[2]}", f"uid-{document.kind}-{document.name}", next(_numbers)
        )
        answer = self.door.publish(document, owner)
        return int(getattr(answer, "revision", 0))

    def enqueue(
        self, queue: str, count: int = 1, function: str = "print", args: tuple[Any, ...] = (), **options: Any
    ) -> list[Job]:
        where = Queue(queue, connection=self.client)
        return [where.enqueue(function, args=args or (number,), **options) for number in range(count)]

    def pod(self, queue: str, name: str, slots: int) -> Pod:
        found = self.door.read_document(queue)
        pod = Pod(queue, name, slots, found[0] if found else 0)
        self.pods.append(pod)
        self.renew(pod)
        return pod

    def renew(self, pod: Pod, door: Door | None = None) -> None:
        through = door or self.door
        holdings = [
            Holding(pod.queue, slot, grant.job_id, grant.execution, grant.fence, grant.places)
            for slot, grant in list(pod.running.items())
        ]
        found = through.read_document(pod.queue)
        pod.revision = found[0] if found else 0
        beats = [SlotBeat(slot) for slot in pod.slot_names()]
        through.renew(Beat(pod.name, pod.name.rpartition("-")[0], pod.queue, pod.revision, beats, holdings))

    def start(self, pod: Pod, most: int = 1000) -> int:
        """Claim for every idle slot until a gate refuses; how many started."""
        started = 0
        for slot in pod.slot_names():
            if slot in pod.running or started >= most:
                continue
            number = next(_numbers)
            answer = self.door.claim(Claim(pod.queue, slot, pod.name, f"n{number}", f"{number:032x}"))
            if not isinstance(answer, Grant):
                break
            pod.running[slot] = answer
            started += 1
        return started

    def finish(self, pod: Pod, slot: str) -> None:
        grant = pod.running.pop(slot)
        self.door.finish(Finish(pod.queue, slot, grant.job_id, grant.execution, grant.fence, DONE, grant.places))

    def fail(self, queue: str, function: str, raised: str, args: tuple[Any, ...] = ()) -> str:
        """A job in the dead set, as RQ's own code puts it there; its id."""
        job = Job.create(function, args, connection=self.client, origin=queue)
        now = datetime.now(UTC)
        with self.client.pipeline() as pipeline:
            job.save(pipeline=pipeline)
            job.started_at = job.ended_at = now
            job.set_status(JobStatus.FAILED, pipeline=pipeline)
            job.save(pipeline=pipeline)
            job._handle_failure(
                f'Traceback (most recent call last):\n  File "app.py", line 7, in run\n    call()\n{raised}', pipeline
            )
            pipeline.execute()
        self.client.sadd("rq:queues", f"rq:queue:{queue}")
        return job.id

    def requests(self, surface: str, rule: int, identity: str, count: int) -> int:
        """So many requests of one caller, one after the other; how many were let in."""
        found = self.door.read_http(surface)
        assert found
        let_in = 0
        for _ in range(count):
            admit = Admit(surface, found[0], "api-1", f"api-1:{next(_numbers)}", ((rule, identity),))
            let_in += isinstance(self.door.admit(admit), Allowed)
        return let_in

    def serve(self, surface: str, door: Door | None = None) -> None:
        """One API process says that it is there, at the newest revision."""
        through = door or self.door
        found = through.read_http(surface)
        through.renew_requests(RequestsBeat("api-1", "api-1", {surface: found[0] if found else 0}, ()))

    @contextlib.contextmanager
    def alive(self, every: float = 3.0) -> Iterator[Fleet]:
        """Renews all pods in the background, so that leases do not lapse."""
        over = threading.Event()

        def go_on() -> None:
            with contextlib.closing(Door(self.url)) as door:
                while not over.wait(every):
                    for surface in self.surfaces:
                        self.serve(surface, door)
                    for pod in list(self.pods):
                        self.renew(pod, door)

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join(10)


FLEET = (
    ("campaigns", 5, 46, "taskforce.campaigns.send_batch"),
    ("follow-ups", 5, 12, "taskforce.mail.follow_up"),
    ("emails", 3, 7, "taskforce.mail.send"),
    ("webhooks", 3, 31, "taskforce.webhooks.call"),
    ("exports", 3, 2, "taskforce.reports.export"),
    ("imports", 3, 1, "taskforce.uploads.parse"),
    ("sync", 3, 2, "taskforce.mailboxes.sync"),
    ("analytics", 3, 1, "taskforce.counting.day"),
    ("snoozed", 3, 0, ""),
)
"""Queue, slots of its one worker, jobs, their function."""
TASKS = (("periodic-sync", "*/5 * * * *"), ("scheduled-emails", "* * * * *"), ("snoozed-emails", "* * * * *"))


def shop(fleet: Fleet) -> None:
    """The story's fleet in small: a shared budget, a queue that is held, one at rest, one on a rate."""
    fleet.declare(
        BudgetDocument(name="shop/mail-provider", total=9, http_reserved=2, rate=RateDocument(limit=60, period_ms=1000))
    )
    mail = (BudgetShare(name="shop/mail-provider"),)
    for name, limits in {
        "campaigns": {"per_worker": 5, "total": 5, "budgets": mail},
        "follow-ups": {"per_worker": 5, "budgets": mail},
        "emails": {"per_worker": 3, "budgets": mail},
        "webhooks": {"per_worker": 3, "rate_total": RateDocument(limit=20, period_ms=60_000)},
        "exports": {"per_worker": 3, "total": 3, "per_key": 2},
        "imports": {"per_worker": 3, "total": 3},
        "sync": {"per_worker": 3},
        "analytics": {"per_worker": 3, "rate_total": RateDocument(limit=20, period_ms=1000)},
        "snoozed": {"per_worker": 3, "mode": "Shadow", "total": 2},
    }.items():
        fleet.declare(QueueDocument(queue=name, **limits))
    for name, slots, queued, function in FLEET:
        if queued:
            fleet.enqueue(name, queued, function)
        fleet.start(fleet.pod(name, f"{name}-worker-{zlib.crc32(name.encode()):08x}-a1b2c3", slots))


def front(fleet: Fleet) -> None:
    """The story's HTTP limits with some traffic behind them, its tasks with some runs, and three dead jobs."""
    quarter = RateDocument(limit=100, period_ms=900_000)
    rules = (
        HttpRule(name="general", match=_under("/api"), rate=quarter),
        HttpRule(name="admin", match=_under("/api/admin"), rate=RateDocument(limit=30, period_ms=900_000)),
        HttpRule(
            name="creation",
            match=_under("/api/campaigns", "POST"),
            key="User",
            rate=RateDocument(limit=20, period_ms=3_600_000),
        ),
        HttpRule(
            name="sign-in", match=_under("/api/auth"), rate=RateDocument(limit=5, period_ms=900_000), count="Failures"
        ),
    )
    fleet.declare(HttpDocument(surface="taskforce-api", rules=rules))
    fleet.surfaces.append("taskforce-api")
    fleet.serve("taskforce-api")
    for rule, caller, count in ((0, "a", 132), (0, "b", 60), (0, "c", 34), (1, "a", 31), (2, "d", 9), (3, "e", 4)):
        fleet.requests("taskforce-api", rule, caller * 32, count)
    for name, schedule in TASKS:
        function = f"taskforce.periodic.{name.replace('-', '_')}"
        fleet.declare(TaskDocument(name=f"shop/{name}", schedule=schedule, function=function))
    _run(fleet, "shop/periodic-sync", "ok")
    _run(fleet, "shop/snoozed-emails", "failed")
    _run(fleet, "shop/scheduled-emails", "ok")
    fleet.door.begin_run(Begin("shop/scheduled-emails", "run-9", "scheduled-emails-29401-x7k2p"))
    fleet.door.skip_ticks("shop/scheduled-emails", [int(time.time() // 60) * 60_000 - 60_000 * back for back in (1, 0)])
    for raised in (
        "smtplib.SMTPRecipientsRefused: {'nobody@example.com': (550, b'no such user')}",
        "TimeoutError: the provider took longer than 30 s",
    ):
        fleet.fail("campaigns", "taskforce.campaigns.send_batch", raised, (118,))
    fleet.fail("exports", "taskforce.reports.export", "MemoryError", ("acme", 2026))


def _under(path: str, *methods: str) -> HttpMatch:
    return HttpMatch(methods=methods, paths=(PathMatch(value=path),))


def _run(fleet: Fleet, task: str, outcome: Literal["ok", "failed"]) -> None:
    run = f"run-{next(_numbers)}"
    begun = fleet.door.begin_run(Begin(task, run, "periodic-0"))
    assert isinstance(begun, Begun)
    fleet.door.end_run(task, run, begun.fence, outcome)


def wait_until(true: Callable[[], object], seconds: float = 15.0, every: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(every)
