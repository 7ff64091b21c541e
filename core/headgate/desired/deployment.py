"""The worker pods. Limits never stand in here: only `replicas` and what shapes a pod."""

from __future__ import annotations

from headgate.desired.pod import pod_template
from headgate.desired.wanted import Manifest, Wanted, child
from headgate.names import selector_labels

MIN_READY_SECONDS = 5
"""A worker that dies right after its start must not count as available, or a rollout would replace all by it."""


def deployment(wanted: Wanted) -> Manifest | None:
    spec = {
        "replicas": wanted.replicas,
        "minReadySeconds": MIN_READY_SECONDS,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "selector": {"matchLabels": selector_labels(wanted.name)},
        "template": pod_template(wanted),
    }
    return child(wanted, "apps/v1", "Deployment", {"spec": spec})
