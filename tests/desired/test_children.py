"""The child objects of a policy, as whole manifests in tests/golden and as single promises here."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.control.stores import WorkerDefaults
from headgate.desired.children import BUILDERS, children
from headgate.desired.wanted import Wanted
from headgate.names import HASH_ANNOTATION

GOLDEN = Path(__file__).parents[1] / "golden"
Make = Callable[..., Wanted]

FULL_TEMPLATE = {
    "metadata": {"labels": {"team": "growth"}, "annotations": {"example.com/owner": "growth"}},
    "spec": {
        "serviceAccountName": "mailer",
        "priorityClassName": "batch",
        "nodeSelector": {"disk": "ssd"},
        "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
        "volumes": [
            {"name": "templates", "configMap": {"name": "mail-templates"}},
            {"name": "tmp", "emptyDir": {"medium": "Memory"}},
        ],
        "initContainers": [{"name": "warm", "image": "registry.example/warm:2", "securityContext": {"runAsUser": 7}}],
        "containers": [
            {
                "name": "worker",
                "image": "registry.example/mailer:3",
                "env": [{"name": "HEADGATE_PRELOAD", "value": "mailer.tasks"}, {"name": "REGION", "value": "eu"}],
                "envFrom": [{"secretRef": {"name": "mailer"}}],
                "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
                "volumeMounts": [{"name": "templates", "mountPath": "/templates", "readOnly": True}],
                "securityContext": {"readOnlyRootFilesystem": False},
            },
            {"name": "proxy", "image": "registry.example/proxy:1"},
        ],
    },
}  # fmt: skip
FULL = {
    "queue": "campaigns.v2",
    "concurrency": {"perWorker": 5, "total": 10},
    "jobs": {"deadlineSeconds": 600},
    "workers": {
        "replicas": 2,
        "drainSeconds": 120,
        "memory": {"recycleSlotAboveMiB": 256},
        "template": FULL_TEMPLATE,
    },
}
DEFAULTS = WorkerDefaults(
    image="registry.example/app:1",
    image_pull_secrets=({"name": "pull"},),
    env=({"name": "REGION", "value": "us"}, {"name": "TZ", "value": "UTC"}),
    resources={"requests": {"cpu": "100m"}},
)
SCENES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "children-minimal": ({}, {}),
    "children-full": (FULL, {"defaults": DEFAULTS}),
}


class Plain(yaml.SafeDumper):
    """Writes equal parts out each time."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def one(wanted: Wanted, kind: str) -> dict[str, Any]:
    return next(child.manifest for child in children(wanted) if child.kind.kind == kind)


def pod_of(wanted: Wanted) -> dict[str, Any]:
    return one(wanted, "Deployment")["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", SCENES)
def test_children_are_the_golden_ones(name: str, wanted: Make) -> None:
    """Read the diff, then accept it with HEADGATE_GOLDEN=write."""
    spec, others = SCENES[name]
    text = yaml.dump_all((child.manifest for child in children(wanted(spec, **others))), Dumper=Plain, sort_keys=False)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("HEADGATE_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"concurrency": {"perWorker": 8, "total": 40, "perKey": 2}},
        {"rate": {"total": {"limit": 5, "periodSeconds": 1}}},
        {"stopPolicy": "Hold"},
        {"mode": "Shadow"},
        {"budgetRefs": [{"name": "mail"}]},
        {"backlog": {"limit": 5}},
        {"jobs": {"payload": "Plain", "functions": ["a.b"], "maxLosses": 9, "onWorkerLost": "Fail"}},
        {"override": {"concurrencyTotal": 1, "reason": "x", "expireTime": "2026-11-24T00:00:00Z"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changing_a_limit_changes_no_child(change: dict[str, Any], wanted: Make) -> None:
    """Limits live in the store: no pod rolls, not even an apply is sent."""
    assert children(wanted(change)) == children(wanted())


@pytest.mark.parametrize(
    "change",
    [
        {"jobs": {"deadlineSeconds": 60}},
        {"workers": {"drainSeconds": 5}},
        {"workers": {"memory": {"recycleSlotAboveMiB": 100}}},
        {"workers": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}},
    ],
    ids=["deadlineSeconds", "drainSeconds", "recycleSlotAboveMiB", "template"],
)
def test_the_fields_that_roll_pods_do(change: dict[str, Any], wanted: Make) -> None:
    """And no others: these are the ones whose description says so."""
    assert pod_of(wanted(change)) != pod_of(wanted())


def test_the_grace_period_outlasts_the_drain(wanted: Make) -> None:
    """30 s after the drain, to hand back what did not end."""
    assert pod_of(wanted({"workers": {"drainSeconds": 0}}))["terminationGracePeriodSeconds"] == 30
    assert pod_of(wanted({"jobs": {"deadlineSeconds": 90}}))["terminationGracePeriodSeconds"] == 120


def test_a_named_service_account_replaces_ours(wanted: Make) -> None:
    """Ours is made, powerless, only when nobody named one."""
    named = wanted({"workers": {"template": {"spec": {"serviceAccountName": "mailer"}}}})
    assert [child.kind.kind for child in children(named)] == ["NetworkPolicy", "PodDisruptionBudget", "Deployment"]
    assert pod_of(named)["serviceAccountName"] == "mailer"
    assert "automountServiceAccountToken" not in pod_of(named)
    assert pod_of(wanted())["automountServiceAccountToken"] is False


def test_the_template_wins_over_the_defaults_of_the_namespace(wanted: Make) -> None:
    """Env by name, resources as a whole, image and pull secrets."""
    pod = pod_of(wanted(FULL, defaults=DEFAULTS))
    worker = pod["containers"][0]
    env = {item["name"]: item.get("value") for item in worker["env"]}
    assert (env["REGION"], env["TZ"]) == ("eu", "UTC")
    assert worker["resources"] == FULL_TEMPLATE["spec"]["containers"][0]["resources"]
    assert worker["image"] == "registry.example/mailer:3"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]


def test_children_are_applied_in_an_order_that_works() -> None:
    """The Deployment makes pods, so all that they need stands before it."""
    assert [kind.kind for kind, _ in BUILDERS] == [
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Deployment",
    ]


def test_every_child_names_its_owner_and_its_hash(wanted: Make) -> None:
    """Garbage collection needs the first; the second changes exactly when the content does."""
    for child in children(wanted()):
        metadata = child.manifest["metadata"]
        assert metadata["ownerReferences"][0]["uid"] == "00000000-0000-0000-0000-000000000001"
        assert metadata["ownerReferences"][0]["controller"] is True
        assert (metadata["name"], metadata["namespace"]) == ("campaigns-worker", "mail")
    before, after = (one(wanted({"workers": {"replicas": n}}), "Deployment") for n in (1, 2))
    assert before["metadata"]["annotations"][HASH_ANNOTATION] != after["metadata"]["annotations"][HASH_ANNOTATION]


def test_the_selector_never_changes(wanted: Make) -> None:
    """A Deployment refuses another selector, so nothing but the name may be in it."""
    assert one(wanted(FULL), "Deployment")["spec"]["selector"] == one(wanted(), "Deployment")["spec"]["selector"]
