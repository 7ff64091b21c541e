"""Nobody connects to a worker but whoever reads its health and metrics.

Egress stays open: what a job may call is the application's business, and Headgate does not know it.
"""

from __future__ import annotations

from headgate.desired.container import METRICS_PORT
from headgate.desired.wanted import Manifest, Wanted, child
from headgate.names import selector_labels


def network_policy(wanted: Wanted) -> Manifest | None:
    spec = {
        "podSelector": {"matchLabels": selector_labels(wanted.name)},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": METRICS_PORT, "protocol": "TCP"}]}],
    }
    return child(wanted, "networking.k8s.io/v1", "NetworkPolicy", {"spec": spec})
