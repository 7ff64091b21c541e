"""What the conformance suite needs of a set of gates beside their verbs: plain RQ's hands, the clock, and eyes.

One `Bench` for the reference in memory, one for scripts in a real store. Times are milliseconds of its own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headgate.gates.verbs import Gates


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job as RQ's tools would show it."""

    status: str
    losses: int
    executions: frozenset[str]


class Bench(Protocol):
    def gates(self, caller: str) -> Gates:
        """One caller's door; the same for the same name."""

    def close(self) -> None: ...

    # ---- time and faults ----

    @property
    def now(self) -> int: ...

    def advance(self, ms: float) -> None:
        """Forwards (what has a time to live expires) or back."""

    def snapshot(self) -> object:
        """All data, to be put back later: what a store that lost its last writes comes up with."""

    def restore(self, snapshot: object) -> None: ...

    def wipe(self) -> None:
        """The store came up empty."""

    # ---- what plain RQ and its users do ----

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
        """`key` is the plain field headgate_key; `meta`: the job has meta that only a worker can read."""

    def cancel(self, job_id: str) -> None:
        """As Job.cancel: out of the list, status canceled."""

    def mark_canceled(self, job_id: str) -> None:
        """Status canceled while the id still stands in the list."""

    def fail(self, job_id: str) -> None:
        """What RQ's own failure code leaves behind."""

    def depend(self, job_id: str, dependent: str) -> None: ...

    def suspend(self, suspended: bool) -> None: ...

    def register(self, slot: str) -> None:
        """RQ's worker hash of a slot."""

    def hold_http(self, budget: str, holder: str, end: int) -> None:
        """An HTTP request in flight holds one place of the budget until `end`."""

    # ---- what can be seen ----

    def queue(self, queue: str) -> list[str]: ...

    def job(self, job_id: str) -> JobSeen | None: ...

    def started(self, queue: str) -> set[str]:
        """Job ids in RQ's started registry."""

    def finished(self, queue: str) -> set[str]: ...

    def holders(self, queue: str) -> dict[str, int]:
        """Every holder of the queue's places with its lease end, lapsed ones too."""

    def key_holders(self, queue: str, key: str) -> dict[str, int]: ...

    def budget_holders(self, budget: str) -> dict[str, int]: ...

    def budget_http_holders(self, budget: str) -> dict[str, int]:
        """The requests among them, as they count against httpReserved."""

    def counters(self) -> object:
        """All that HTTP rules and budgets count, statistics apart: equal when no counter moved."""

    def wakes(self) -> list[tuple[str, str]]:
        """(instance, queue) of each wake since the last call."""

    def own_keys(self) -> set[str]:
        """What Headgate keeps in the store beside its own memory (meta)."""
