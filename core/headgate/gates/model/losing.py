"""An execution is lost: its slot died or its lease lapsed. Put its job back, or hand it to RQ's failure code."""

from __future__ import annotations

from headgate.gates.model.leases import MARK
from headgate.gates.model.limits import Limits, limits
from headgate.gates.model.places import Freed, forget_if_drained
from headgate.gates.model.state import Store
from headgate.gates.model.waiting import wake_one
from headgate.gates.verbs import SEAL_MS, Fate, Reaped

DEFAULT_MAX_LOSSES = 3


def runs_elsewhere(store: Store, queue: str, job_id: str, execution: str) -> bool:
    """Another execution of this job has a live lease."""
    held, job = store.gates(queue).held, store.rq.jobs.get(job_id)
    others = [] if job is None else [other for other in job.executions if other != execution]
    return any(held.is_live(f"{job_id}:{other}", store.now) for other in others)


def fate_of(store: Store, queue: str, job_id: str, execution: str, losses: int, rules: Limits | None) -> Fate | None:
    """None: nothing to do, the job ended, was canceled, or runs elsewhere."""
    job = store.rq.jobs.get(job_id)
    if job is None or job.status != "started" or runs_elsewhere(store, queue, job_id, execution):
        return None
    if rules is not None and not rules.requeues:
        return Fate.FAILED
    return Fate.POISON if losses > (rules.max_losses if rules else DEFAULT_MAX_LOSSES) else Fate.REQUEUED


def lose(store: Store, queue: str, job_id: str, execution: str, *, marked: bool) -> tuple[Fate | None, int]:
    """Take the execution out. What will not run again keeps its place under a mark until RQ's failure code has run."""
    gates, rules, job = store.gates(queue), limits(store, queue), store.rq.jobs.get(job_id)
    losses = (job.losses if job else 0) + (0 if marked else 1)
    fate = fate_of(store, queue, job_id, execution, losses, rules)
    gates.held.drop(f"{job_id}:{execution}{MARK if marked else ''}")
    store.rq.forget(job_id, execution)
    if fate is None or job is None:
        return None, losses
    job.fields["headgate_losses"] = str(losses).encode()
    if fate is Fate.REQUEUED:
        store.rq.put_back(queue, job_id)
    else:
        gates.held.take(f"{job_id}:{execution}{MARK}", store.now + SEAL_MS)
        if fate is Fate.POISON and not marked:
            gates.poisoned += 1
            gates.poison.add(job_id)
    return fate, losses


def reap_queue(store: Store, queue: str, limit: int, *, dead: bool) -> list[Reaped | None]:
    """What lapsed, earliest first; None for an execution that only had to be taken out."""
    gates, rules = store.gates(queue), limits(store, queue)
    handled: list[Reaped | None] = []
    freed = Freed()
    for holder in gates.held.lapsed(store.now)[:limit]:
        job_id, _, execution = holder.removesuffix(MARK).partition(":")
        marked = holder.endswith(MARK)
        job = store.rq.jobs.get(job_id)
        losses = (job.losses if job else 0) + (0 if marked else 1)
        fate = fate_of(store, queue, job_id, execution, losses, rules)
        if fate in (Fate.FAILED, Fate.POISON) and not dead:
            continue
        plain = f"{job_id}:{execution}"
        places = [f"k{gates.keys[plain]}"] if plain in gates.keys else []
        places += [f"b{share.weight}:{share.name}" for share in (rules.budgets if rules else ())]
        fate, losses = lose(store, queue, job_id, execution, marked=marked)
        freed.give_back(store, gates, plain, execution, places)
        wake_one(store, queue)
        handled.append(None if fate is None else Reaped(queue, job_id, execution, fate, losses))
    freed.hand_over(store)
    return handled


def reap(store: Store, queues: list[str], limit: int, *, dead: bool) -> list[Reaped]:
    reaped: list[Reaped] = []
    if store.quarantined:
        return reaped
    for queue in queues:
        if limit > 0 and store.gates(queue).held.lapsed(store.now):
            handled = reap_queue(store, queue, limit, dead=dead)
            limit -= len(handled)
            reaped += [one for one in handled if one is not None]
            if limits(store, queue) is None:
                forget_if_drained(store, queue)
    return reaped
