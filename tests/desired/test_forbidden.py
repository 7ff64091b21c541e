"""A template lends its author nothing that the author does not have."""

from collections.abc import Callable
from typing import Any

import pytest

from headgate.desired.forbidden import refusals
from headgate.desired.shape import misshapen
from headgate.desired.wanted import Wanted

Make = Callable[..., Wanted]
SITE: dict[str, Any] = {"own_namespace": "headgate-system", "admission_policy": True}


def template(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"workers": {"template": {"metadata": metadata, "spec": spec or {}}}}


def container(**fields: Any) -> dict[str, Any]:
    return template({"containers": [{"name": "worker", **fields}]})


ALWAYS = {
    "a folder of the node": (template({"volumes": [{"name": "d", "hostPath": {"path": "/"}}]}), "volumes[d].hostPath"),
    "privileged": (container(securityContext={"privileged": True}), "securityContext.privileged"),
    "more privileges": (container(securityContext={"allowPrivilegeEscalation": True}), "allowPrivilegeEscalation"),
    "capabilities": (container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), "capabilities.add"),
    "no seccomp": (container(securityContext={"seccompProfile": {"type": "Unconfined"}}), "seccompProfile.type"),
    "no AppArmor": (container(securityContext={"appArmorProfile": {"type": "Unconfined"}}), "appArmorProfile.type"),
    "no seccomp in the pod": (
        template({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
        "seccompProfile.type",
    ),
    "sysctls": (template({"securityContext": {"sysctls": [{"name": "a"}]}}), "sysctls"),
    "unmasked proc": (container(securityContext={"procMount": "Unmasked"}), "procMount"),
    "a Windows host process": (container(securityContext={"windowsOptions": {"hostProcess": True}}), "hostProcess"),
    "a port of the node": (container(ports=[{"containerPort": 80, "hostPort": 80}]), "hostPort 80"),
    "a privileged init container": (
        template({"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]}),
        "initContainers[i].securityContext.privileged",
    ),
    "a privileged sidecar": (
        template({"containers": [{"name": "worker"}, {"name": "s", "securityContext": {"privileged": True}}]}),
        "containers[s].securityContext.privileged",
    ),
    "a chosen node": (template({"nodeName": "n1"}), "spec.nodeName"),
    "a token of nobody": (template({"automountServiceAccountToken": True}), "needs a serviceAccountName"),
    "another command": (container(command=["sh"]), "containers[worker].command"),
    "arguments": (container(args=["--all"]), "containers[worker].args"),
    "a probe": (container(livenessProbe={"exec": {"command": ["true"]}}), "containers[worker].livenessProbe"),
    "a hook": (container(lifecycle={"preStop": {"sleep": {"seconds": 5}}}), "containers[worker].lifecycle"),
    "another grace": (template({"terminationGracePeriodSeconds": 5}), "set workers.drainSeconds"),
    "our label": (template(labels={"app.kubernetes.io/name": "x"}), "app.kubernetes.io/name is Headgate's own"),
    "our annotation": (template(annotations={"headgate.dev/x": "y"}), "headgate.dev/x is Headgate's own"),
    "our variable": (container(env=[{"name": "RQ_KEY_PREFIX", "value": "x"}]), "RQ_KEY_PREFIX is Headgate's own"),
    "a variable we may need": (container(env=[{"name": "HEADGATE_X", "value": "x"}]), "HEADGATE_X is Headgate's own"),
    "our volume": (template({"volumes": [{"name": "store", "emptyDir": {}}]}), "store is Headgate's own"),
    "our mount": (container(volumeMounts=[{"name": "v", "mountPath": "/etc/headgate/store/"}]), "is Headgate's own"),
    "our port": (container(ports=[{"containerPort": 9180}]), "port 9180"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALWAYS)
def test_refused_whoever_asks(name: str, wanted: Make) -> None:
    """One sentence, which names the field; also where requesters are checked."""
    spec, words = ALWAYS[name]
    (sentence,) = refusals(wanted(spec), **SITE)
    assert words in sentence
    assert sentence.startswith("spec.workers.template.")


@pytest.mark.parametrize("namespace", ["headgate-system", "kube-system"])
def test_some_namespaces_have_no_workers(namespace: str, wanted: Make) -> None:
    """The operator's own: a pod there could read the addresses of all stores."""
    (sentence,) = refusals(wanted(namespace=namespace), **SITE)
    assert sentence.startswith(f"metadata.namespace: no workers run in {namespace}")


GUARDED = {
    "image": container(image="x"),
    "env": container(env=[{"name": "A", "value": "b"}]),
    "envFrom": container(envFrom=[{"secretRef": {"name": "all-of-them"}}]),
    "volumes": template({"volumes": [{"name": "s", "secret": {"secretName": "x"}}]}),
    "serviceAccountName": template({"serviceAccountName": "admin"}),
    "priorityClassName": template({"priorityClassName": "system-node-critical"}),
    "a sidecar": template({"containers": [{"name": "worker"}, {"name": "s", "image": "x"}]}),
    "an init container": template({"initContainers": [{"name": "i", "image": "x"}]}),
    "annotations": template(annotations={"inject": "true"}),
    "device claims": container(resources={"claims": [{"name": "gpu"}]}),
}


@pytest.mark.parametrize("name", GUARDED)
def test_without_the_admission_policy_an_author_shapes_no_pod(name: str, wanted: Make) -> None:
    """Fine for who may create Deployments; else the administrator's defaults say it."""
    assert refusals(wanted(GUARDED[name]), **SITE) == []
    (sentence,) = refusals(wanted(GUARDED[name]), own_namespace="headgate-system", admission_policy=False)
    assert "only labels, resources and scheduling are taken" in sentence


def test_labels_resources_and_scheduling_need_no_admission_policy(wanted: Make) -> None:
    """They give no right to anything."""
    spec = template(
        {
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [],
            "containers": [{"name": "worker", "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": 1}}}],
        },
        labels={"team": "growth"},
    )
    assert refusals(wanted(spec), own_namespace="", admission_policy=False) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"volumes": "x"}, "volumes: must be a list"),
        ({"volumes": [{"emptyDir": {}}]}, "volumes[0].name: missing"),
        ({"securityContext": 5}, "securityContext: must be a mapping"),
        ({"initContainers": [{"name": "i", "env": [3]}]}, "initContainers[0].env[0]: must be a mapping"),
        ({"containers": [{"name": "worker", "ports": [{"containerPort": "80"}]}]}, "must be a whole number"),
        ({"containers": [{"name": "worker", "env": {"A": "b"}}]}, "containers[0].env: must be a list"),
        ({"serviceAccountName": 5}, "serviceAccountName: must be text"),
        (
            {"containers": [{"name": "worker", "resources": {"requests": {"cpu": "half", "memory": "1Gi"}}}]},
            "containers[0].resources.requests.cpu: 'half' is no quantity, write for example 500m or 256Mi",
        ),
        ({"containers": [{"name": "worker", "resources": {"limits": "1Gi"}}]}, "limits: must be a mapping"),
    ],
)  # fmt: skip
def test_what_is_no_pod_spec_is_named_before_anybody_reads_it(spec: dict[str, Any], words: str, wanted: Make) -> None:
    """The API server preserves the template unseen, so any JSON can arrive."""
    (sentence,) = misshapen(wanted(template(spec)).template_spec)
    assert words in sentence


@pytest.mark.parametrize("amount", [1, 0.5, "500m", "1.5Gi", ".5", "1e3", "2E", "100k", "+1", "5."])
def test_every_way_to_write_a_quantity_is_taken(amount: object, wanted: Make) -> None:
    resources = {"limits": {"memory": amount, "example.com/gpu": amount}}
    spec = wanted(template({"containers": [{"name": "worker", "resources": resources}]})).template_spec
    assert list(misshapen(spec)) == []


def test_null_is_absent_at_any_depth(wanted: Make) -> None:
    """`env:` with nothing behind it is what an editor leaves."""
    spec = wanted(
        template({"containers": [{"name": "worker", "env": None, "ports": None}], "volumes": None})
    ).template_spec
    assert spec == {"containers": [{"name": "worker"}]}
