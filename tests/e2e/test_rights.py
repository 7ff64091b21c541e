"""The operator's rights, as the chart gives them, are enough for all that it did in this run, by the audit log."""

from __future__ import annotations

import json

from .installation import Installation
from .node import Cluster
from .objects import policy
from .recorder import Recorder


def test_nothing_that_the_operator_asked_for_was_refused(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    name = f"rights-{namespace}"
    installed.apply(namespace, policy(name, recorder.address))
    installed.in_force(namespace, name)
    account = f"system:serviceaccount:{installed.namespace}:headgate-operator"
    assert {"get", "list", "create", "patch", "update"} <= {seen.verb for seen in cluster.writes(user=account)}
    assert not refused(cluster, account)


def refused(cluster: Cluster, account: str) -> list[str]:
    """What the authorizer forbade. A 403 is also what admission says of a namespace that is being deleted."""
    whole, _, _ = cluster.audit_log.read_text().rpartition("\n")
    events = map(json.loads, whole.splitlines())
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in events
        if event["user"]["username"] == account
        and event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
    ]
