"""The kubelet of one machine carries out all that `headgate.desired` emits: the two cannot drift apart."""

from typing import Any

import pytest

from headgate.control.stores import StoreEntry, WorkerDefaults
from headgate.desired.deployment import deployment
from headgate.desired.wanted import Wanted
from headgate.errors import InvalidInput
from headgate.model.parse import parse
from headgate.model.queue_policy import QueuePolicy
from headgate_cli.local import supported

TEMPLATE = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    "spec": {
        "serviceAccountName": "app",
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "low",
        "volumes": [{"name": "settings", "configMap": {"name": "app", "items": [{"key": "a", "path": "b"}]}}],
        "containers": [
            {
                "name": "worker",
                "image": "app:1",
                "resources": {"limits": {"memory": "1Gi"}},
                "envFrom": [{"secretRef": {"name": "app"}}, {"configMapRef": {"name": "app"}, "prefix": "X_"}],
                "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "app", "key": "token"}}}],
                "volumeMounts": [{"name": "settings", "mountPath": "/etc/app", "readOnly": True}],
                "ports": [{"name": "debug", "containerPort": 8000}],
            }
        ],
    },
}


def pod_of(**workers: Any) -> dict[str, Any]:
    """The Pod that the Deployment of a policy makes."""
    metadata = {"name": "emails", "namespace": "local", "uid": "local/emails"}
    spec = {"workers": {"memory": {"recycleSlotAboveMiB": 512}, **workers}}
    head = {"apiVersion": "headgate.dev/v1alpha1", "kind": "QueuePolicy"}
    policy = parse({**head, "metadata": metadata, "spec": spec})
    assert isinstance(policy, QueuePolicy)
    pull = ({"name": "registry"},)
    defaults = WorkerDefaults(image="any:1", image_pull_policy="Always", image_pull_secrets=pull, resources={"a": {}})
    made = deployment(Wanted(policy, StoreEntry("default"), defaults, replicas=1))
    assert made
    return dict(made["spec"]["template"])


@pytest.mark.parametrize("workers", [{}, {"template": TEMPLATE}], ids=["plain", "everything in the template"])
def test_all_that_is_emitted_is_carried_out_or_left_out_on_purpose(workers: dict[str, Any]) -> None:
    supported.check(pod_of(**workers))


def test_a_sidecar_of_the_template_is_refused() -> None:
    template = {"spec": {"containers": [*TEMPLATE["spec"]["containers"], {"name": "proxy", "image": "proxy:1"}]}}  # type: ignore[index]
    with pytest.raises(InvalidInput, match=r"spec.containers \(proxy\) is not supported on one machine"):
        supported.check(pod_of(template=template))


def test_what_is_worth_telling_is_told() -> None:
    assert supported.not_applied(pod_of()) == ["image", "resources"]
    assert supported.not_applied(pod_of(template=TEMPLATE)) == ["image", "resources", "nodeSelector"]
