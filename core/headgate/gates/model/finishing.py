"""finish: end one execution, if it still holds its lease, and pass its places on."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.gates.model import claiming
from headgate.gates.model.keeping import readd
from headgate.gates.model.limits import limits
from headgate.gates.model.losing import lose
from headgate.gates.model.places import Freed, Place, pass_on
from headgate.gates.model.state import Store
from headgate.gates.verbs import (
    Claim,
    ClaimAnswer,
    Deferred,
    Done,
    Empty,
    Fate,
    Finish,
    Finished,
    Grant,
    Lost,
)  # fmt: skip


@dataclass(slots=True)
class _Ended:
    """`fenced`: its lease was there, so its places were given back."""

    finished: Finished
    fenced: bool
    freed: Freed

    def remembered(self, finish: Finish) -> tuple[str, Finished]:
        return finish.execution, self.finished


def finish(store: Store, finish: Finish) -> Finished:
    ended = _end(store, finish)
    if ended.fenced:
        store.slot_to_write(finish.slot).done = ended.remembered(finish)
        pass_on(store, finish.queue, ended.freed, limits(store, finish.queue))
    return ended.finished


def finish_claim(store: Store, finish: Finish, claim: Claim) -> tuple[Finished, ClaimAnswer]:
    """Both in one step: a place that the same slot takes again wakes nobody."""
    ended = _end(store, finish)
    if ended.finished is Finished.SLOW:
        return Finished.SLOW, Empty(0)
    if not ended.fenced:
        repeated = claiming.answered(store, claim)
        if repeated is not None:
            return ended.finished, repeated
    fused = claiming.Fused(ended.remembered(finish) if ended.fenced else None, ended.freed.key)
    answer = claiming.ask(store, claim, fused)
    granted = isinstance(answer, Grant)
    if not granted and ended.fenced:
        store.slot_to_write(finish.slot).done = ended.remembered(finish)
        pass_on(store, finish.queue, ended.freed, limits(store, finish.queue))
    return ended.finished, answer


def _end(store: Store, finish: Finish) -> _Ended:
    gates, job = store.gates(finish.queue), store.rq.jobs.get(finish.job_id)
    holder, freed = f"{finish.job_id}:{finish.execution}", Freed()
    if isinstance(finish.outcome, Done) and job is not None and job.dependents:
        return _Ended(Finished.SLOW, False, freed)
    if not gates.held.drop(holder):
        unfenced = _unfenced(store, finish)
        if unfenced is not None:
            return _Ended(unfenced, False, freed)
        gates.held.drop(holder)
    finished = _leave(store, finish)
    freed.give_back(store, gates, holder, finish.execution, finish.places)
    if isinstance(finish.outcome, Deferred):
        _defer(store, finish, finish.outcome)
    return _Ended(finished, True, freed)


def _unfenced(store: Store, finish: Finish) -> Finished | None:
    """Its lease is not there. Answered before: say the same. Data was lost: None, it is taken in again. Else: gone."""
    record = store.slot(finish.slot)
    if record is not None and record.done is not None and record.done[0] == finish.execution:
        return record.done[1]
    if store.quarantined and readd(store, finish.queue, finish.job_id, finish.execution, finish.slot):
        return None
    return Finished.GONE


def _leave(store: Store, finish: Finish) -> Finished:
    """RQ's side of the end."""
    job_id, execution, outcome = finish.job_id, finish.execution, finish.outcome
    if isinstance(outcome, Done) and job_id in store.rq.jobs:
        store.rq.done(job_id, dict(outcome.changes))
        return Finished.OK
    if isinstance(outcome, Lost):
        fate, _ = lose(store, finish.queue, job_id, execution, marked=False)
        return {Fate.FAILED: Finished.FAILED, Fate.POISON: Finished.POISON}.get(fate or Fate.REQUEUED, Finished.OK)
    store.rq.forget(job_id, execution)
    if not isinstance(outcome, Done):
        store.rq.put_back(finish.queue, job_id)
    return Finished.OK


def _defer(store: Store, finish: Finish, outcome: Deferred) -> None:
    """The job said RateLimited: its scope sleeps. A scope that this job has not got means the queue."""
    until, asleep = store.us + outcome.ms * 1000, False
    for place in map(Place.parse, finish.places):
        if outcome.scope == "key" and place.is_key:
            store.gates(finish.queue).lanes.sleep(f"={place.key}", -(-until // 1000))
            asleep = True
        elif not place.is_key and outcome.scope == f"budget/{place.budget}" and place.budget in store.budgets:
            budget = store.budgets[place.budget]
            budget.sleep = max(budget.sleep, until)
            asleep = True
    if not asleep and finish.queue in store.policies:
        policy = store.policies[finish.queue]
        policy.sleep = max(policy.sleep, until)
