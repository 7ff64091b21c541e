"""The gates in memory: the verbs of `verbs.Gates` in plain Python, to be compared with and searched through.

No server, no threads, a clock that moves by hand. Each `ReferenceGates` is one caller (as a `Door` is one connection):
it remembers the newest (epoch, seq) it saw, so several of them over one `Store` notice lost data as real callers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from headgate.gates.http import Admit, AdmitAnswer, RequestsBeat, RequestsRenewal, Settle, SurfaceState
from headgate.gates.model import (
    claiming,
    declaring,
    finishing,
    http_admitting,
    http_renewing,
    http_settling,
    inspection,
    keeping,
    losing,
    loss,
    queueing,
    renewing,
    running,
    sampling,
    tasks,
)
from headgate.gates.model.state import Store
from headgate.gates.overrides import Override
from headgate.gates.runs import Begin, BeginAnswer, TaskState
from headgate.gates.samples import Sample, Samples
from headgate.gates.verbs import (
    Beat,
    Claim,
    ClaimAnswer,
    Declarations,
    Declared,
    Enqueue,
    EnqueueAnswer,
    Finish,
    Finished,
    Holding,
    Owner,
    PublishAnswer,
    Reaped,
    Renewal,
    Seen,
    StoreState,
)  # fmt: skip
from headgate.model.documents import Document, DocumentKind, HttpDocument, QueueDocument


class ReferenceGates:
    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self.seen = Seen()

    def claim(self, claim: Claim) -> ClaimAnswer:
        with self._call():
            return claiming.claim(self.store, claim)

    def finish(self, finish: Finish) -> Finished:
        with self._call():
            return finishing.finish(self.store, finish)

    def finish_claim(self, finish: Finish, claim: Claim) -> tuple[Finished, ClaimAnswer]:
        if claim.lane_keys:
            return self.finish(finish), self.claim(claim)
        with self._call():
            return finishing.finish_claim(self.store, finish, claim)

    def seal(self, holding: Holding) -> bool:
        with self._call():
            return keeping.seal(self.store, holding)

    def release(self, holding: Holding) -> bool:
        with self._call():
            return keeping.release(self.store, holding)

    def renew(self, beat: Beat) -> Renewal:
        with self._call():
            return renewing.renew(self.store, beat)

    def reap(self, limit: int = 100, *, dead: bool = False) -> Sequence[Reaped]:
        with self._call():
            return losing.reap(self.store, loss.known_queues(self.store), limit, dead=dead)

    def enqueue(self, enqueue: Enqueue) -> EnqueueAnswer:
        with self._call():
            return queueing.enqueue(self.store, enqueue)

    def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer:
        with self._call():
            return declaring.publish(self.store, document, owner, replaces_uid)

    def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool:
        with self._call():
            return declaring.unpublish(self.store, kind, name, owner)

    def override(self, override: Override) -> int | None:
        with self._call():
            return declaring.override(self.store, override)

    def clear_override(self, queue: str) -> bool:
        with self._call():
            return declaring.clear_override(self.store, queue)

    def inspect(self) -> StoreState:
        self._see()
        return inspection.inspect(self.store)

    def read_document(self, queue: str) -> tuple[int, QueueDocument] | None:
        policy = self.store.policies.get(queue)
        return None if policy is None else (policy.revision, policy.document)

    def read_declared(self, queue: str) -> Declarations:
        with self._call():
            return declaring.read_declared(self.store, queue)

    def restore(self, copy: Declared[Document]) -> PublishAnswer:
        with self._call():
            return declaring.restore(self.store, copy)

    def record_sample(self, sample: Sample) -> None:
        with self._call():
            sampling.record(self.store, sample)

    def read_samples(self, since: int) -> Samples:
        return sampling.read(self.store, since)

    # ---- requests ----

    def admit(self, admit: Admit) -> AdmitAnswer:
        with self._call():
            return http_admitting.admit(self.store, admit)

    def settle(self, settles: Sequence[Settle]) -> int:
        with self._call():
            return http_settling.settle(self.store, settles)

    def renew_requests(self, beat: RequestsBeat) -> RequestsRenewal:
        with self._call():
            return http_renewing.renew_requests(self.store, beat)

    def read_http(self, surface: str) -> tuple[int, HttpDocument] | None:
        known = self.store.http.surfaces.get(surface)
        return (known.revision, known.document) if known else None

    def inspect_http(self) -> Mapping[str, SurfaceState]:
        self._see()
        return http_renewing.inspect_http(self.store)

    def begin_run(self, begin: Begin) -> BeginAnswer:
        with self._call():
            return running.begin(self.store, begin)

    def renew_run(self, task: str, run: str, fence: int) -> bool:
        with self._call():
            return running.renew(self.store, task, run, fence)

    def end_run(self, task: str, run: str, fence: int, outcome: Literal["ok", "failed", "deadline"]) -> bool:
        with self._call():
            return running.end(self.store, task, run, fence, outcome)

    def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        with self._call():
            return running.skip(self.store, task, ticks)

    def inspect_tasks(self) -> Mapping[str, TaskState]:
        self._see()
        return running.inspect(self.store)

    def check(self) -> None:
        """Memory never evicts."""

    @contextmanager
    def _call(self) -> Iterator[None]:
        """One atomic call: lost data is noticed first, and what the store knows is seen after."""
        tasks.expire(self.store.tasks, self.store.now)
        loss.notice(self.store, self.seen)
        yield
        self._see()

    def _see(self) -> None:
        meta = self.store.meta
        seq = max(meta.seq, self.seen.seq) if self.seen.epoch == meta.epoch else meta.seq
        self.seen = Seen(meta.epoch, seq)
