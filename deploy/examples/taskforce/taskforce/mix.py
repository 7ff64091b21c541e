"""What arrives, and how often: for each queue its share of all jobs and how to make one."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rq import Queue, Retry
from rq.job import Job

from taskforce import tasks
from taskforce.record import KEY_FIELD

TENANTS = ("acme", "birch", "cobalt", "dune", "ember", "fjord")
WEIGHTS = (40, 20, 15, 10, 10, 5)
"""One tenant is much larger than the others, as one always is."""


@dataclass(frozen=True)
class Arrival:
    """One kind of job: `share` of all jobs, and the arguments after the tenant."""

    queue: str
    share: float
    function: Callable[..., Any]
    arguments: Callable[[random.Random], Sequence[Any]]
    retries: int = 0


ARRIVALS = (
    Arrival("campaigns", 0.22, tasks.send_campaign, lambda r: (r.randrange(40), f"r{r.randrange(10**6)}"), 3),
    Arrival("follow-ups", 0.16, tasks.send_follow_up, lambda r: (r.randrange(40), f"r{r.randrange(10**6)}"), 3),
    Arrival("emails", 0.12, tasks.send_email, lambda r: (f"r{r.randrange(10**6)}",), 3),
    Arrival("snoozed", 0.12, tasks.wake_snoozed, lambda r: (r.randrange(10**4),)),
    Arrival("sync", 0.10, tasks.sync_mailbox, lambda r: (f"box{r.randrange(200)}",), 2),
    Arrival("imports", 0.06, tasks.import_contacts, lambda r: (r.randrange(200, 2_000),)),
    Arrival("exports", 0.06, tasks.export_report, lambda r: (r.randrange(1, 13),)),
    Arrival("analytics", 0.08, tasks.aggregate_day, lambda r: (r.randrange(365),)),
    Arrival("webhooks", 0.08, tasks.deliver_webhook, lambda r: (f"hook{r.randrange(300)}",), 3),
)


def choose(dice: random.Random) -> Arrival:
    return dice.choices(ARRIVALS, weights=[arrival.share for arrival in ARRIVALS])[0]


def enqueue(queues: dict[str, Queue], arrival: Arrival, dice: random.Random) -> Job:
    """One job by plain RQ; nothing here knows of limits."""
    tenant = dice.choices(TENANTS, weights=WEIGHTS)[0]
    retry = Retry(max=arrival.retries, interval=[1, 2, 4][: arrival.retries]) if arrival.retries else None
    return queues[arrival.queue].enqueue(
        arrival.function,
        tenant,
        *arrival.arguments(dice),
        retry=retry,
        meta={KEY_FIELD: tenant},
        job_timeout=60,
    )
