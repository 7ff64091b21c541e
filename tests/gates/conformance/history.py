"""What happened, as producers and workers saw it: an account of its own, against which every answer is judged.

It never reads how gates count, and knows only time as it really passed: a worker's lease is a span on its own clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from headgate.gates.verbs import LEASE_MS, SEAL_MS, Finished, Grant
from headgate.model.documents import BudgetDocument, QueueDocument, RateDocument


class BrokenPromiseError(AssertionError):
    """An invariant (I1, I2, ...) does not hold."""


def promise(holds: bool, invariant: str, what: str) -> None:
    if not holds:
        raise BrokenPromiseError(f"{invariant}: {what}")


@dataclass(slots=True)
class Execution:
    """One grant. `lease_end` (really passed ms) as its worker knows it; `lost`: reaped or granted anew."""

    job_id: str
    execution: str
    queue: str
    key: str | None
    slot: str
    fence: int
    budgets: dict[str, int]
    lease_end: int
    alive: bool = True
    ended: bool = False
    lost: bool = False

    def runs(self, passed: int) -> bool:
        """It executes user code under a lease that its worker believes in."""
        return self.alive and not self.ended and not self.lost and self.lease_end > passed


@dataclass(slots=True)
class Account:
    """One job as its producer and its workers know it. `excuses`: losses of data, after each it may end again."""

    queue: str
    key: str | None
    acks: int = 0
    excuses: int = 0


@dataclass
class History:
    policies: dict[str, QueueDocument] = field(default_factory=dict)
    budgets: dict[str, BudgetDocument] = field(default_factory=dict)
    jobs: dict[str, Account] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    starts: list[tuple[int, Execution]] = field(default_factory=list)
    """(really passed ms, execution)."""
    rated_since: dict[str, int] = field(default_factory=dict)
    """Rate -> how many starts there were when it came into force; it has been since."""
    passed: int = 0
    last_loss: int = -(10**9)
    """When (really passed ms) the store last lost data."""
    last_fault: int = -(10**9)
    """When it last lost data, was away, or had its clock set back."""
    last_fence: int = 0

    # ---- what is declared ----

    def declare(self, document: QueueDocument | BudgetDocument) -> None:
        if isinstance(document, QueueDocument):
            self.policies[document.queue] = document
            self._rated(f"queue/{document.queue}", document.rate_total)
            self._rated(f"key/{document.queue}", document.rate_per_key)
            self._rated(f"worker/{document.queue}", document.rate_per_worker)
        else:
            self.budgets[document.name] = document
            self._rated(f"budget/{document.name}", document.rate)

    def _rated(self, name: str, rate: RateDocument | None) -> None:
        if rate is None:
            self.rated_since.pop(name, None)
        else:
            self.rated_since.setdefault(name, len(self.starts))

    # ---- what happens ----

    def pass_time(self, ms: int) -> None:
        self.passed += ms

    def lose_data(self, known_jobs: set[str]) -> None:
        """Everything may have to run and be acknowledged once more; what is unknown now was never enqueued."""
        self.last_loss = self.last_fault = self.passed
        self.jobs = {job_id: job for job_id, job in self.jobs.items() if job_id in known_jobs}
        for job in self.jobs.values():
            job.excuses += 1

    def granted(self, grant: Grant, queue: str, slot: str) -> Execution:
        job = self.jobs[grant.job_id]
        document = self.policies[queue]
        shares = {share.name: share.weight for share in document.budgets}
        lease_end = self.passed + LEASE_MS
        key = job.key if document.per_key or document.rate_per_key else None  # keys count from when perKey is declared
        started = Execution(grant.job_id, grant.execution, queue, key, slot, grant.fence, shares, lease_end)
        self._judge_start(started, document)
        promise(grant.fence > self.last_fence, "I11", f"fence {grant.fence} after {self.last_fence}")
        self.last_fence = grant.fence
        promise(job.acks <= job.excuses, "I4", f"{grant.job_id} starts after it was acknowledged")
        for other in self.executions.values():
            if other.job_id == grant.job_id:
                promise(not other.runs(self.passed), "I4", f"{grant.job_id} starts while {other.execution} runs it")
                other.lost = True
        self.executions[grant.execution] = started
        self.starts.append((self.passed, started))
        self._judge_rates(started, document)
        return started

    def renewed(self, execution: Execution) -> None:
        if not execution.runs(self.passed) and not execution.ended:
            if not self.quarantined():
                promise(not execution.lost, "I11", f"{execution.execution} was lost and is kept")
            if not self.recent_fault():
                self._judge_start(execution, self.policies[execution.queue])
            execution.lost = False
        execution.lease_end = max(execution.lease_end, self.passed + LEASE_MS)

    def sealed(self, execution: Execution) -> None:
        execution.lease_end = max(execution.lease_end, self.passed + SEAL_MS)

    def ended(self, execution: Execution, finished: Finished, *, acknowledged: bool) -> None:
        """`acknowledged`: the job is done in the producer's eyes, if this is OK."""
        if finished is Finished.GONE:
            promise(not execution.runs(self.passed) or self.recent_loss(), "I11", f"{execution.execution} refused")
        else:
            promise(not execution.lost or self.recent_loss(), "I11", f"{execution.execution} was lost but is heard")
            if acknowledged:
                self.acknowledged(execution.job_id)
        execution.ended = True

    def acknowledged(self, job_id: str) -> None:
        """It is finished, failed or dead, and will not run again."""
        if job_id in self.jobs:
            job = self.jobs[job_id]
            job.acks += 1
            promise(job.acks <= 1 + job.excuses, "I4", f"{job_id} acknowledged {job.acks} times")

    def reaped(self, execution_id: str) -> None:
        """Somebody was told that this execution is lost."""
        execution = self.executions.get(execution_id)
        if execution is not None:
            promise(not execution.runs(self.passed) or self.recent_loss(), "I4", f"{execution_id} reaped too early")
            execution.lost = True

    def quarantined(self) -> bool:
        """After a fault, for a lease (and a small step back): what ran is taken in again, nothing starts."""
        return self.passed - self.last_fault <= 2 * LEASE_MS

    def recent_fault(self) -> bool:
        """A clock that was set back, unnoticed, stretches leases by less than a lease each time."""
        return self.passed - self.last_fault <= 2 * SEAL_MS

    def recent_loss(self) -> bool:
        """What the store knows may still be older than what happened."""
        return self.passed - self.last_loss <= LEASE_MS + SEAL_MS

    # ---- I1, I2 ----

    def running(self) -> list[Execution]:
        return [execution for execution in self.executions.values() if execution.runs(self.passed)]

    def _judge_start(self, started: Execution, document: QueueDocument) -> None:
        running = self.running()
        own = [other for other in running if other.queue == started.queue]
        if document.total:
            promise(len(own) < document.total, "I1", f"start {len(own) + 1} of {started.queue}, total {document.total}")
        if document.per_key and started.key is not None:
            held = sum(other.key == started.key for other in own)
            promise(held < document.per_key, "I1", f"start {held + 1} of key {started.key}, perKey {document.per_key}")
        for name, weight in started.budgets.items():
            total = self.budgets[name].total
            used = sum(other.budgets.get(name, 0) for other in running)
            promise(not total or used + weight <= total, "I1", f"{used} + {weight} places of {name}, total {total}")

    def _judge_rates(self, started: Execution, document: QueueDocument) -> None:
        own = [(n, at, 1) for n, at, one in self._numbered() if one.queue == started.queue]
        self._judge_window(f"queue/{started.queue}", own, document.rate_total)
        pod = started.slot.rpartition(".")[0]
        mine = [(n, at, 1) for n, at, one in self._numbered() if one.slot.rpartition(".")[0] == pod]
        self._judge_window(f"worker/{started.queue}", mine, document.rate_per_worker)
        if started.key is not None:
            same = (started.queue, started.key)
            keyed = [(n, at, 1) for n, at, one in self._numbered() if (one.queue, one.key) == same]
            self._judge_window(f"key/{started.queue}", keyed, document.rate_per_key)
        for name in started.budgets:
            shared = [(n, at, one.budgets[name]) for n, at, one in self._numbered() if name in one.budgets]
            self._judge_window(f"budget/{name}", shared, self.budgets[name].rate)

    def _numbered(self) -> Iterator[tuple[int, int, Execution]]:
        return ((n, at, one) for n, (at, one) in enumerate(self.starts))

    def _judge_window(self, name: str, starts: list[tuple[int, int, int]], rate: RateDocument | None) -> None:
        """The window that ends now. Starts before the rate came into force were not counted by anybody."""
        if rate is None:
            return
        begin, first = self.passed - rate.period_ms, self.rated_since[name]
        inside = sum(weight for n, at, weight in starts if at > begin and n >= first)
        promise(inside <= rate.limit, "I2", f"{inside} starts of {name} in {rate.period_ms} ms, limit {rate.limit}")
