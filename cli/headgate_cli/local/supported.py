"""Which fields of a Pod the one-machine kubelet carries out, which it leaves out, and which it refuses by name.

The first list is what `headgate.desired` emits plus what users put into `workers.template` for their application. The
second is harmless to leave out on one machine: isolation, scheduling, and what an API server fills in by default.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from headgate.control.ports import Manifest
from headgate.errors import InvalidInput

POD = frozenset({"containers", "volumes", "terminationGracePeriodSeconds", "restartPolicy"})
POD_NOT_APPLIED = frozenset({
    "affinity", "automountServiceAccountToken", "dnsPolicy", "enableServiceLinks", "imagePullSecrets", "nodeName",
    "nodeSelector", "preemptionPolicy", "priority", "priorityClassName", "schedulerName", "securityContext",
    "serviceAccount", "serviceAccountName", "tolerations", "topologySpreadConstraints",
})  # fmt: skip
CONTAINER = frozenset({
    "name", "command", "args", "env", "envFrom", "ports", "volumeMounts",
    "startupProbe", "readinessProbe", "livenessProbe",
})  # fmt: skip
CONTAINER_NOT_APPLIED = frozenset({
    "image", "imagePullPolicy", "resources", "securityContext", "terminationMessagePath", "terminationMessagePolicy",
})  # fmt: skip
PROBE = frozenset({
    "httpGet", "initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold",
    "terminationGracePeriodSeconds",
})  # fmt: skip
WORTH_SAYING = (
    "image",
    "resources",
    "affinity",
    "nodeSelector",
)
"""Of what is not applied: what somebody wrote on purpose and may rely on."""
TOKEN_VOLUME = "kube-api-access-"  # noqa: S105  the prefix of the volume that an API server adds for its own token


def check(pod: Manifest) -> None:
    """Raise InvalidInput that names the first field which would not be carried out."""
    spec = pod["spec"]
    _only(spec, POD | POD_NOT_APPLIED, "spec")
    if spec.get("restartPolicy", "Always") not in ("Always", "Never"):
        raise _refused("spec.restartPolicy", spec["restartPolicy"], "only Always and Never")
    sidecars = [container["name"] for container in spec["containers"] if container["name"] != "worker"]
    if sidecars or len(spec["containers"]) != 1:
        raise _refused("spec.containers", ", ".join(sidecars), "exactly one container, worker, and no sidecar")
    container = spec["containers"][0]
    _only(container, CONTAINER | CONTAINER_NOT_APPLIED, "worker")
    _check_probes(container)
    _check_data(pod, container)


def _check_probes(container: Manifest) -> None:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(name, {})
        _only(probe, PROBE, f"worker.{name}")
        _only(probe.get("httpGet", {}), {"path", "port", "host", "scheme"}, f"worker.{name}.httpGet")
        if probe.get("httpGet", {}).get("scheme", "HTTP") != "HTTP":
            raise _refused(f"worker.{name}.httpGet.scheme", probe["httpGet"]["scheme"], "only HTTP")


def _check_data(pod: Manifest, container: Manifest) -> None:
    for volume in volumes(pod):
        _only(volume, {"name", "secret", "configMap", "emptyDir"}, f"volume {volume['name']}")
        for source in ("secret", "configMap"):
            known = {"secretName", "name", "items", "defaultMode", "optional"}
            _only(volume.get(source, {}), known, f"volume {volume['name']}.{source}")
    for mount in mounts(pod):
        _only(mount, {"name", "mountPath", "readOnly", "recursiveReadOnly"}, f"worker.volumeMounts[{mount['name']}]")
    for source in container.get("envFrom", []):
        _only(source, {"secretRef", "configMapRef", "prefix"}, "worker.envFrom")
    for variable in container.get("env", []):
        known = {"fieldRef", "secretKeyRef", "configMapKeyRef"}
        _only(variable.get("valueFrom", {}), known, f"worker.env[{variable['name']}].valueFrom")


def volumes(pod: Manifest) -> list[Manifest]:
    """Without the API token: a worker has no business with the API server."""
    return [volume for volume in pod["spec"].get("volumes", []) if not volume["name"].startswith(TOKEN_VOLUME)]


def mounts(pod: Manifest) -> list[Manifest]:
    mounted = pod["spec"]["containers"][0].get("volumeMounts", [])
    return [mount for mount in mounted if not mount["name"].startswith(TOKEN_VOLUME)]


def not_applied(pod: Manifest) -> list[str]:
    """The fields of this Pod that are left out and worth telling, in the order of WORTH_SAYING."""
    present = {**pod["spec"], **pod["spec"]["containers"][0]}
    return [name for name in WORTH_SAYING if present.get(name)]


def _only(fields: Iterable[str], known: Collection[str], where: str) -> None:
    for name in fields:
        if name not in known:
            raise _refused(f"{where}.{name}", None, "remove it, or run this policy in a cluster")


def _refused(field: str, value: Any, right: str) -> InvalidInput:
    return InvalidInput(f"{field}{f' ({value})' if value else ''} is not supported on one machine: {right}")
