"""Node drains take one worker at a time; one that is broken anyway never blocks a drain."""

from __future__ import annotations

from headgate.desired.wanted import Manifest, Wanted, child
from headgate.names import selector_labels


def pod_disruption_budget(wanted: Wanted) -> Manifest | None:
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector_labels(wanted.name)},
    }
    return child(wanted, "policy/v1", "PodDisruptionBudget", {"spec": spec})
