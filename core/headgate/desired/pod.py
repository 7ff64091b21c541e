"""The pod of a worker: its container, volumes, restricted security, spread; then the template's own fields."""

from __future__ import annotations

from headgate.desired.container import RESTRICTED, STORE_VOLUME, TMP_VOLUME, worker
from headgate.desired.wanted import Manifest, Wanted, by_name, overlaid
from headgate.names import labels, selector_labels, worker_name

AFTER_DRAIN_SECONDS = 30
"""Between the end of the drain and SIGKILL: handing back what did not end takes a moment."""


def pod_template(wanted: Wanted) -> Manifest:
    """metadata and spec of the pods. A change of anything in here rolls them."""
    template = wanted.policy.spec.workers.template
    user = template.metadata if template else None
    metadata: Manifest = {"labels": {**((user and user.labels) or {}), **labels(wanted.name)}}
    if user and user.annotations:
        metadata["annotations"] = dict(user.annotations)
    return {"metadata": metadata, "spec": pod_spec(wanted)}


def pod_spec(wanted: Wanted) -> Manifest:
    user = wanted.template_spec
    spec: Manifest = {
        "serviceAccountName": wanted.service_account or worker_name(wanted.name),
        "terminationGracePeriodSeconds": wanted.drain_seconds + AFTER_DRAIN_SECONDS,
        "enableServiceLinks": False,
        "securityContext": overlaid(
            {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, user.get("securityContext", {})
        ),
        "topologySpreadConstraints": [_spread(wanted)],
        "containers": [worker(wanted), *_others(user.get("containers", []))],
        "volumes": by_name(_volumes(wanted), wanted.defaults.volumes, user.get("volumes", [])),
    }
    if not wanted.service_account:
        spec["automountServiceAccountToken"] = False
    if wanted.defaults.image_pull_secrets:
        spec["imagePullSecrets"] = [dict(secret) for secret in wanted.defaults.image_pull_secrets]
    if "initContainers" in user:
        user = user | {"initContainers": _others(user["initContainers"])}
    return spec | {name: value for name, value in user.items() if name not in _MERGED}


_MERGED = ("containers", "volumes", "securityContext", "serviceAccountName")


def _others(containers: list[Manifest]) -> list[Manifest]:
    """Sidecars and init containers, under the same restrictions unless they say otherwise."""
    return [
        container | {"securityContext": overlaid(RESTRICTED, container.get("securityContext", {}))}
        for container in containers
        if container["name"] != "worker"
    ]


def _volumes(wanted: Wanted) -> list[Manifest]:
    return [
        {"name": STORE_VOLUME, "secret": {"secretName": wanted.store.worker_secret_name}},
        {"name": TMP_VOLUME, "emptyDir": {}},
    ]


def _spread(wanted: Wanted) -> Manifest:
    """Over nodes where that is possible; the pods of an older template do not count."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector_labels(wanted.name)},
        "matchLabelKeys": ["pod-template-hash"],
    }
