"""What the example's policies promise, as a person reads them, held against the record: a list of broken promises.

Written out by hand and not read from the manifests by Headgate's own code: that is the point of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.recorder import accounts, windows
from tests.recorder.grants import Grant
from tests.recorder.history import Event, Kind, of
from tests.recorder.overlap import above, by
from tests.recorder.runs import Run, runs

SLOTS = {"campaigns": 5, "follow-ups": 5} | dict.fromkeys(
    ("emails", "snoozed", "sync", "imports", "exports", "analytics", "webhooks"), 3
)
AT_ONCE = 31
MAIL = ("campaigns", "follow-ups", "emails")
MAIL_AT_ONCE, MAIL_A_SECOND = 13, 60
EXPORTS_A_TENANT = 2
ANALYTICS_A_SECOND = 20
WEBHOOKS_A_TENANT_A_SECOND = 5
STARTS_A_SLOT_A_SECOND = 10
SECOND = 10**9
HTTP = {
    "general": (100, 900),
    "admin": (30, 900),
    "campaign-creation": (20, 3600),
    "campaign-start": (10, 60),
    "auth": (5, 900),
}
"""Rule -> requests (failures of `auth`) that may start in any so many seconds, for each client or user."""


@dataclass(frozen=True)
class Job:
    queue: str
    tenant: str


def broken(events: Sequence[Event], grants: Iterable[Grant]) -> list[str]:
    """Every limit that did not hold at some instant (by starts and ends) or in some window (by grants)."""
    history = runs(events)
    jobs = {event.job: Job(event.queue, event.key) for event in of(events, Kind.ACKED)}
    return [*_at_once(history), *_rates([(grant.at, jobs[grant.job]) for grant in grants if grant.job in jobs])]


def _at_once(history: Sequence[Run]) -> list[str]:
    of_queue = by(history, lambda run: run.queue)
    mail = [run for run in history if run.queue in MAIL]
    bounds = [("all queues", history, AT_ONCE), ("mail provider", mail, MAIL_AT_ONCE)]
    bounds += [(queue, of_queue.get(queue, []), slots) for queue, slots in SLOTS.items()]
    tenants = by(of_queue.get("exports", []), lambda run: run.key)
    bounds += [(f"exports of {tenant}", found, EXPORTS_A_TENANT) for tenant, found in tenants.items()]
    return [
        f"{name}: {found.running} at once, {found.allowed} allowed, with {found.run.job}"
        for name, some, bound in bounds
        for found in above(some, bound)[:1]
    ]


def _rates(granted: Sequence[tuple[int, Job]]) -> list[str]:
    def times(of: Callable[[Job], bool]) -> list[int]:
        return [at for at, job in granted if of(job)]

    limits = [
        ("mail provider", times(lambda job: job.queue in MAIL), MAIL_A_SECOND),
        ("analytics", times(lambda job: job.queue == "analytics"), ANALYTICS_A_SECOND),
    ]
    for queue, slots in SLOTS.items():
        limits.append(
            (f"worker of {queue}", times(lambda job, q=queue: job.queue == q), slots * STARTS_A_SLOT_A_SECOND)
        )
    for tenant in {job.tenant for _, job in granted}:
        of_tenant = times(lambda job, t=tenant: job.queue == "webhooks" and job.tenant == t)
        limits.append((f"webhooks of {tenant}", of_tenant, WEBHOOKS_A_TENANT_A_SECOND))
    return [
        f"{name}: {windows.busiest(found, SECOND)} starts in one second, {limit} allowed"
        for name, found, limit in limits
        if windows.crowded(found, limit, SECOND)
    ]


def unaccounted(events: Sequence[Event], states: dict[str, str]) -> list[str]:
    """Every acknowledged job that did not end exactly once."""
    history, acked = runs(events), accounts.acknowledged(events)
    problems = {
        "lost": accounts.lost(acked, states),
        "acknowledged twice": accounts.acknowledged_twice(acked),
        "never ran": accounts.never_ran(acked, history),
        "succeeded twice": accounts.succeeded_twice(history),
        "started too often": accounts.unexplained(history),
    }
    return [f"{name}: {found}" for name, found in problems.items() if found]


def crowded(admitted: Mapping[str, Sequence[int]], rule: str) -> list[str]:
    """Every client that was let in more often than this HTTP rule says, in any window; times in ns."""
    limit, seconds = HTTP[rule]
    return [
        f"{rule} of {who}: {windows.busiest(times, seconds * SECOND)} requests in {seconds} s, {limit} allowed"
        for who, times in admitted.items()
        if windows.crowded(times, limit, seconds * SECOND)
    ]


def overlapping(starts: Mapping[str, Sequence[int]]) -> list[str]:
    """Every periodic function that started while it ran. `starts`: how many of it ran at each start."""
    return [
        f"{function}: {max(depths)} at once, 1 allowed"
        for function, depths in starts.items()
        if max(depths, default=0) > 1
    ]
