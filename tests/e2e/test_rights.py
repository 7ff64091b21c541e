"""The operator's rights, as the chart gives them, are enough for all that it did in this run, by the audit log."""

from __future__ import annotations

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
    requests = cluster.writes(user=account)
    assert {"get", "list", "watch", "create", "patch", "update"} <= {request.verb for request in requests}
    assert not [request for request in requests if request.code == 403]
