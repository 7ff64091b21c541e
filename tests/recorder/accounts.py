"""Nothing lost, nothing done twice: what was acknowledged, against what ran and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.recorder.history import Event, Kind
from tests.recorder.runs import KILLED, OPEN, Run

ENDED = frozenset({"finished", "failed", "canceled", "stopped"})
"""The states of a job that RQ will not touch again. `ended once` = in exactly one of them."""


def acknowledged(events: Iterable[Event]) -> list[str]:
    """Ids whose enqueue the producer saw succeed, in order, one entry an acknowledgement."""
    return [event.job for event in events if event.kind is Kind.ACKED]


def lost(acked: Iterable[str], states: Mapping[str, str]) -> dict[str, str]:
    """Acknowledged jobs that have not ended, each with the state in which it was found (`missing` when in none)."""
    found = {job: states.get(job, "missing") for job in acked}
    return {job: state for job, state in found.items() if state not in ENDED}


def acknowledged_twice(acked: Iterable[str]) -> set[str]:
    return {job for job, times in Counter(acked).items() if times > 1}


def succeeded_twice(history: Iterable[Run]) -> set[str]:
    """Jobs that succeeded more than once without a fault that could have kept the first success from the store."""
    times = Counter(run.job for run in history if run.outcome == "ok" and not run.fault)
    return {job for job, count in times.items() if count > 1}


def unexplained(history: Iterable[Run]) -> dict[str, int]:
    """Starts too many, per job: each after the first needs an earlier run that failed, was limited or met a fault."""
    excess: Counter[str] = Counter()
    for run in history:
        excused = run.fault or run.outcome not in ("ok", OPEN)
        excess[run.job] += not excused
    return {job: count - 1 for job, count in excess.items() if count > 1}


def never_ran(acked: Iterable[str], history: Iterable[Run]) -> set[str]:
    return set(acked) - {run.job for run in history}


def restarts(history: Iterable[Run]) -> dict[str, int | None]:
    """For each job whose process was killed under it: ns until its code started again, None if it never did."""
    ordered = sorted(history, key=lambda run: run.started)
    killed = [run for run in ordered if run.outcome == KILLED]
    return {
        run.job: next(
            (later.started - run.ended for later in ordered if later.job == run.job and later.started > run.started),
            None,
        )
        for run in killed
    }
