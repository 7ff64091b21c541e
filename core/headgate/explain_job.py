"""Why a job does not run yet, or what became of it, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.explain import Explanation, verdict
from headgate.words import counted, duration


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What RQ's keys say. `position` counts from 0 at the head; `due` and `lease_ends` in ms; `reason` of a failure."""

    job_id: str
    queue: str
    status: str
    position: int | None = None
    due: int | None = None
    worker: str = ""
    lease_ends: int | None = None
    waits_for: Sequence[str] = ()
    reason: str = ""


def explain_job(facts: JobFacts, queue: Explanation | None, now: int) -> str:
    """`queue` None: no policy declares it. `now` is the store's clock (ms)."""
    if facts.status == "queued":
        return _queued(facts, queue)
    if facts.status == "started":
        lease = f", its lease ends in {duration(facts.lease_ends - now)} unless renewed" if facts.lease_ends else ""
        return f"it runs on {facts.worker or 'a worker'}{lease}"
    if facts.status == "scheduled":
        when = f"in {duration(facts.due - now)}" if facts.due else "at a time nobody noted"
        return f"it is due {when}, then it stands in queue {facts.queue} at the end"
    if facts.status == "deferred":
        waits = ", ".join(facts.waits_for) or "a job that is gone"
        return f"it waits for {waits}"
    if facts.status == "failed":
        return f"it is in the dead set{': ' + facts.reason if facts.reason else ''}; it runs again when it is requeued"
    return f"it is {facts.status}, nothing of it will run"


def _queued(facts: JobFacts, queue: Explanation | None) -> str:
    if facts.position is None:
        return f"it says queued, and queue {facts.queue} does not hold it: it is starting, or it was canceled meanwhile"
    ahead = f"{counted(facts.position, 'job')} before it in queue {facts.queue}" if facts.position else "it is the next"
    if queue is None:
        return f"{ahead}; no policy declares queue {facts.queue}, so nothing of it starts"
    if not queue.queue.instances:
        return f"{ahead}; no worker serves queue {facts.queue}"
    return f"{ahead}; the queue: {verdict(queue.queue, queue.gates, queue.now)}"
