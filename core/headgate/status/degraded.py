"""Degraded: what is wrong although the limits hold. The gravest is named."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.gates.verbs import QueueState, StoreState
from headgate.status import reasons
from headgate.status.conditions import Verdict


@dataclass(frozen=True, slots=True)
class Troubles:
    """`unsuitable`: why the store must not be used. `drifting`: the objects that are repaired again and again.

    `rival`: who else writes the replicas of an autoscaled policy.
    """

    unsuitable: str = ""
    drifting: str = ""
    rival: str = ""


def degraded(troubles: Troubles, store: StoreState | None, queue: QueueState | None) -> Verdict:
    if troubles.unsuitable:
        return Verdict(reasons.STORE_EVICTS, troubles.unsuitable)
    if store and store.quarantine_until > store.now:
        return Verdict(reasons.QUARANTINE)
    if troubles.drifting:
        return Verdict(
            reasons.DRIFT_FIGHT, f"{troubles.drifting} was changed by others more often than it stays repaired."
        )
    if troubles.rival:
        return Verdict(
            reasons.SCALE_FIGHT, f"{troubles.rival} writes workers.replicas too, while workers.autoscaling is set."
        )
    if queue and queue.poison:
        return Verdict(reasons.POISON_JOBS, f"{queue.poison} jobs are in the dead set as Poison.")
    if queue and queue.due and not queue.instances:
        return Verdict(reasons.NO_SCHEDULER, f"{queue.due} jobs are due and no worker runs.")
    return Verdict(reasons.AS_EXPECTED)
