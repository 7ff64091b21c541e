"""Every child object of a QueuePolicy, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.control.ports import DEPLOYMENT, NETWORK_POLICY, POD_DISRUPTION_BUDGET, SERVICE_ACCOUNT, Kind
from headgate.desired.deployment import deployment
from headgate.desired.network_policy import network_policy
from headgate.desired.pod_disruption_budget import pod_disruption_budget
from headgate.desired.service_account import service_account
from headgate.desired.wanted import Manifest, Wanted

BUILDERS: tuple[tuple[Kind, Callable[[Wanted], Manifest | None]], ...] = (
    (SERVICE_ACCOUNT, service_account),  # a pod cannot be created without its account
    (NETWORK_POLICY, network_policy),  # before there is a pod to reach
    (POD_DISRUPTION_BUDGET, pod_disruption_budget),  # before there is a pod to evict
    (DEPLOYMENT, deployment),  # last: it makes the pods
)
CHILD_KINDS = tuple(kind for kind, _ in BUILDERS)


@dataclass(frozen=True, slots=True)
class Child:
    """One object as we want it."""

    kind: Kind
    manifest: Manifest


def children(wanted: Wanted) -> list[Child]:
    """Those that this policy needs."""
    built = ((kind, build(wanted)) for kind, build in BUILDERS)
    return [Child(kind, manifest) for kind, manifest in built if manifest is not None]
