"""The container named worker: what `headgate-worker` reads, and around it what the template adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.desired.wanted import Manifest, Wanted, by_name, overlaid, worker_container

METRICS_PORT = 9180
STORE_MOUNT = "/etc/headgate/store"
STORE_VOLUME = "store"
TMP_VOLUME = "tmp"
PROBE_GRACE_SECONDS = 30
"""A hung worker is killed this long after its probe failed, not after the hours of the pod's own grace."""
RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def worker(wanted: Wanted) -> Manifest:
    """Only image, env, mounts, resources, ports and the like can be the user's; see `forbidden` for what cannot."""
    user, defaults = worker_container(wanted.template_spec), wanted.defaults
    container: Manifest = {
        "name": "worker",
        "image": wanted.image,
        "command": ["headgate-worker"],
        "env": by_name(environment(wanted), defaults.env, user.get("env", [])),
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}, *user.get("ports", [])],
        "volumeMounts": by_name(_mounts(), defaults.volume_mounts, user.get("volumeMounts", []), key="mountPath"),
        "securityContext": overlaid(RESTRICTED, user.get("securityContext", {})),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **probes(),
    }
    optional = {
        "envFrom": [*map(dict, defaults.env_from), *user.get("envFrom", [])],
        "imagePullPolicy": defaults.image_pull_policy,
        "resources": dict(defaults.resources),
    }
    container |= {name: value for name, value in optional.items() if value}
    return container | {name: value for name, value in user.items() if name not in container or name in _REPLACED}


_REPLACED = ("imagePullPolicy", "resources", "terminationMessagePolicy")


def environment(wanted: Wanted) -> list[Manifest]:
    """Where the worker learns who it is. No limit stands here: limits are in the store and change without a new pod."""
    spec = wanted.policy.spec
    literal = {
        "HEADGATE_QUEUE": wanted.policy.queue,
        "HEADGATE_STORE_URL_FILE": f"{STORE_MOUNT}/url",
        "RQ_KEY_PREFIX": wanted.store.key_prefix,
        "HEADGATE_DRAIN_SECONDS": wanted.drain_seconds,
        "HEADGATE_DEADLINE_SECONDS": spec.jobs.deadline_seconds,
        "HEADGATE_RECYCLE_SLOT_ABOVE_MIB": spec.workers.memory and spec.workers.memory.recycle_slot_above_mib,
    }
    fields = {"HEADGATE_POD_NAME": "metadata.name", "HEADGATE_POD_IP": "status.podIP"}
    return [
        *({"name": name, "value": str(value)} for name, value in literal.items() if value is not None),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]


def probes() -> Manifest:
    """None depends on the store: one that is away must not restart workers. Importing an application may take 5 min."""
    health, ready = ({"path": path, "port": "metrics"} for path in ("/healthz", "/readyz"))
    grace = {"terminationGracePeriodSeconds": PROBE_GRACE_SECONDS}
    return {
        "startupProbe": {"httpGet": health, "periodSeconds": 2, "failureThreshold": 150, "timeoutSeconds": 5, **grace},
        "livenessProbe": {"httpGet": health, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5, **grace},
        "readinessProbe": {"httpGet": ready, "periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5},
    }


def _mounts() -> list[Manifest]:
    return [
        {"name": STORE_VOLUME, "mountPath": STORE_MOUNT, "readOnly": True},
        {"name": TMP_VOLUME, "mountPath": "/tmp"},  # noqa: S108  in the container, an emptyDir
    ]
