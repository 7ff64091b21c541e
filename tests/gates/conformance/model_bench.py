"""The bench of the reference in memory."""

from __future__ import annotations

import copy

from headgate.gates.model import tasks
from headgate.gates.model.reference import ReferenceGates
from headgate.gates.model.rq import Worker
from headgate.gates.model.state import Meta, Store
from headgate.gates.verbs import Gates
from tests.gates.conformance.bench import JobSeen


class ModelBench:
    def __init__(self) -> None:
        self.store = Store()
        self._doors: dict[str, ReferenceGates] = {}

    def gates(self, caller: str) -> Gates:
        door: ReferenceGates = self._doors.setdefault(caller, ReferenceGates(self.store))
        return door

    def close(self) -> None:
        self._doors.clear()

    @property
    def now(self) -> int:
        return self.store.now

    def advance(self, ms: float) -> None:
        self.store.clock.advance(ms)

    def snapshot(self) -> object:
        return copy.deepcopy(self.store)

    def restore(self, snapshot: object) -> None:
        assert isinstance(snapshot, Store)
        self._replace(copy.deepcopy(snapshot))

    def wipe(self) -> None:
        self._replace(Store())

    def _replace(self, other: Store) -> None:
        """The callers keep their doors, and time goes on."""
        for name in Store.__dataclass_fields__:
            if name not in ("clock", "woken"):
                setattr(self.store, name, getattr(other, name))

    def enqueue(
        self,
        queue: str,
        job_id: str,
        *,
        key: str | None = None,
        meta: bool = False,
        at_front: bool = False,
        data: bool = True,
    ) -> None:
        fields = {"data": b"data"} if data else {}
        if key is not None:
            fields["headgate_key"] = key.encode()
        if meta:
            fields["meta"] = b"pickled"
        self.store.rq.enqueue(queue, job_id, fields, at_front=at_front)

    def cancel(self, job_id: str) -> None:
        ids = self.store.rq.list_of(self.store.rq.jobs[job_id].queue)
        if job_id in ids:
            ids.remove(job_id)
        self.mark_canceled(job_id)

    def mark_canceled(self, job_id: str) -> None:
        self.store.rq.jobs[job_id].fields["status"] = b"canceled"

    def fail(self, job_id: str) -> None:
        self.store.rq.fail(job_id)

    def depend(self, job_id: str, dependent: str) -> None:
        self.store.rq.jobs[job_id].dependents.add(dependent)

    def suspend(self, suspended: bool) -> None:
        self.store.rq.suspended = suspended

    def register(self, slot: str) -> None:
        self.store.rq.workers[slot] = Worker(self.now + 90_000)

    def hold_http(self, budget: str, holder: str, end: int) -> None:
        self.store.budgets[budget].held.take(holder, end)
        self.store.budgets[budget].http.take(holder, end)

    def queue(self, queue: str) -> list[str]:
        return list(self.store.rq.list_of(queue))

    def job(self, job_id: str) -> JobSeen | None:
        job = self.store.rq.jobs.get(job_id)
        return None if job is None else JobSeen(job.status, job.losses, frozenset(job.executions))

    def started(self, queue: str) -> set[str]:
        jobs = self.store.rq.jobs.items()
        return {job_id for job_id, job in jobs if job.queue == queue and job.executions}

    def finished(self, queue: str) -> set[str]:
        return set(self.store.rq.finished.get(queue, ()))

    def holders(self, queue: str) -> dict[str, int]:
        return dict(self.store.gates(queue).held.ends)

    def key_holders(self, queue: str, key: str) -> dict[str, int]:
        leases = self.store.gates(queue).key_held.get(key)
        return {} if leases is None else dict(leases.ends)

    def budget_holders(self, budget: str) -> dict[str, int]:
        return dict(self.store.budgets[budget].held.ends) if budget in self.store.budgets else {}

    def budget_http_holders(self, budget: str) -> dict[str, int]:
        return dict(self.store.budgets[budget].http.ends) if budget in self.store.budgets else {}

    def counters(self) -> object:
        self.store.http.expire(self.now)
        clients = {
            where: (client.starts.entries, client.failures.entries, client.held.ends, client.ban)
            for where, client in self.store.http.clients.items()
        }
        budgets = {
            name: (budget.held.ends, budget.http.ends, budget.starts.starts)
            for name, budget in self.store.budgets.items()
        }
        return copy.deepcopy((clients, budgets))

    def wakes(self) -> list[tuple[str, str]]:
        woken, self.store.woken = self.store.woken, []
        return woken

    def own_keys(self) -> set[str]:
        """Named as the concept, not as keys: what is not in its first state (and did not expire)."""
        store, empty = self.store, Store()
        names = (
            "policies",
            "owners",
            "budgets",
            "draining",
            "instances",
            "worker_starts",
            "slots",
            "idempotency",
            "tasks",
        )
        tasks.expire(store.tasks, self.now)
        for slot in list(store.slots):
            store.slot(slot)
        kept = {name for name in names if getattr(store, name) != getattr(empty, name)}
        store.http.expire(self.now)
        kept |= {name for name in ("surfaces", "clients", "apis") if getattr(store.http, name)}
        return kept | {
            f"queue/{name}/{part}"
            for name, gates in store.queues.items()
            for part, rest in (
                ("held", gates.held.ends),
                ("starts", gates.starts.starts),
                ("wait", gates.wait),
                ("rate_wait", gates.rate_wait),
                ("keys", gates.keys),
                ("key_held", [1 for leases in gates.key_held.values() if leases.ends]),
                ("lanes", gates.lanes.seen or gates.lanes.open or gates.lanes.shut or gates.lanes.late),
            )
            if rest
        }

    def meta(self) -> Meta:
        return self.store.meta
