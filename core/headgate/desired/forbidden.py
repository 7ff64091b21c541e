"""What a worker template may not say, whoever asks.

Headgate makes pods with its own rights, so it must not lend them to an author who has fewer. Three lists: namespaces in
which no policy may live; fields that give a pod power over its node, or that are Headgate's own, always refused; and
without the admission policy, which asks whether the requester may create Deployments, all but labels, resources and
scheduling: who may choose image and `envFrom` reads every Secret of the namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from headgate.desired.container import METRICS_PORT, STORE_MOUNT, STORE_VOLUME, environment
from headgate.desired.wanted import Wanted, worker_container
from headgate.names import GROUP, labels

PROTECTED_NAMESPACES = ("kube-system",)
USER_ENV = ("HEADGATE_PRELOAD", "HEADGATE_LOG_FORMAT")
"""The variables of ours that are meant for users."""
SAFE_POD_FIELDS = ("containers", "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints")
SAFE_CONTAINER_FIELDS = ("name", "resources")
SAFE_RESOURCES = ("requests", "limits")
OWN_POD_FIELDS: Mapping[str, str] = {
    "terminationGracePeriodSeconds": "set workers.drainSeconds",
    "restartPolicy": "workers are always restarted",
    "nodeName": "use nodeSelector or affinity",
    "ephemeralContainers": "a template has none",
}
OWN_CONTAINER_FIELDS: Mapping[str, str] = {
    "command": "the worker is headgate-worker, and PID 1",
    "args": "the worker takes none",
    "startupProbe": "Headgate probes its workers itself",
    "livenessProbe": "Headgate probes its workers itself",
    "readinessProbe": "Headgate probes its workers itself",
    "lifecycle": "SIGTERM drains a worker, a hook would only shorten its time",
}
WHERE = "spec.workers.template"


def refusals(wanted: Wanted, *, own_namespace: str, admission_policy: bool) -> list[str]:
    """A sentence for each thing that is refused; none when the template is fine."""
    namespace = wanted.policy.metadata.namespace
    if namespace == own_namespace or namespace in PROTECTED_NAMESPACES:
        return [f"metadata.namespace: no workers run in {namespace}, move the policy to the application's namespace"]
    return [*_dangerous(wanted), *_ours(wanted), *(() if admission_policy else _unguarded(wanted))]


def _dangerous(wanted: Wanted) -> Iterator[str]:
    spec = wanted.template_spec
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            yield f"{WHERE}.spec.volumes[{volume['name']}].hostPath: a worker has no access to its node, remove it"
    if spec.get("automountServiceAccountToken") and not wanted.service_account:
        yield f"{WHERE}.spec.automountServiceAccountToken: true needs a serviceAccountName"
    yield from _dangerous_context(spec.get("securityContext", {}), f"{WHERE}.spec")
    for field in ("containers", "initContainers"):
        for container in spec.get(field, []):
            where = f"{WHERE}.spec.{field}[{container['name']}]"
            yield from _dangerous_context(container.get("securityContext", {}), where)
            for port in container.get("ports", []):
                if port.get("hostPort"):
                    yield f"{where}.ports: hostPort {port['hostPort']} opens a port of the node, remove it"


def _dangerous_context(context: Mapping[str, Any], where: str) -> Iterator[str]:
    refused = {
        "privileged": context.get("privileged"),
        "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation"),
        "capabilities.add": context.get("capabilities", {}).get("add"),
        "procMount": context.get("procMount") not in (None, "Default"),
        "seccompProfile.type": context.get("seccompProfile", {}).get("type") == "Unconfined",
        "appArmorProfile.type": context.get("appArmorProfile", {}).get("type") == "Unconfined",
        "windowsOptions.hostProcess": context.get("windowsOptions", {}).get("hostProcess"),
        "sysctls": context.get("sysctls"),
    }
    for field, broken in refused.items():
        if broken:
            yield f"{where}.securityContext.{field}: gives the pod power over its node, remove it"


def _ours(wanted: Wanted) -> Iterator[str]:
    template = wanted.policy.spec.workers.template
    metadata = template.metadata if template else None
    ours = labels(wanted.name)
    for name in (metadata and metadata.labels) or {}:
        if name in ours or name.startswith(f"{GROUP}/"):
            yield f"{WHERE}.metadata.labels: {name} is Headgate's own, choose another name"
    for name in (metadata and metadata.annotations) or {}:
        if name.startswith(f"{GROUP}/"):
            yield f"{WHERE}.metadata.annotations: {name} is Headgate's own, choose another name"
    for field in sorted(OWN_POD_FIELDS.keys() & wanted.template_spec.keys()):
        yield f"{WHERE}.spec.{field}: {OWN_POD_FIELDS[field]}, remove it"
    for volume in wanted.template_spec.get("volumes", []):
        if volume["name"] == STORE_VOLUME:
            yield f"{WHERE}.spec.volumes: {STORE_VOLUME} is Headgate's own, choose another name"
    yield from _ours_in_container(wanted)


def _ours_in_container(wanted: Wanted) -> Iterator[str]:
    container, where = worker_container(wanted.template_spec), f"{WHERE}.spec.containers[worker]"
    own_env = {item["name"] for item in environment(wanted)}
    for field in sorted(OWN_CONTAINER_FIELDS.keys() & container.keys()):
        yield f"{where}.{field}: {OWN_CONTAINER_FIELDS[field]}, remove it"
    for variable in container.get("env", []):
        name = variable["name"]
        if name in own_env or (name.startswith("HEADGATE_") and name not in USER_ENV):
            yield f"{where}.env: {name} is Headgate's own, remove it"
    for mount in container.get("volumeMounts", []):
        if mount["mountPath"].rstrip("/") == STORE_MOUNT:
            yield f"{where}.volumeMounts: {STORE_MOUNT} is Headgate's own, mount it elsewhere"
    for port in container.get("ports", []):
        if port["containerPort"] == METRICS_PORT or port.get("name") == "metrics":
            yield f"{where}.ports: port {METRICS_PORT} and the name metrics are Headgate's own, choose others"


def _unguarded(wanted: Wanted) -> Iterator[str]:
    template = wanted.policy.spec.workers.template
    if template and template.metadata and template.metadata.annotations:
        yield _needs_admission(f"{WHERE}.metadata.annotations")
    spec = wanted.template_spec
    yield from _outside(spec, SAFE_POD_FIELDS, f"{WHERE}.spec")
    for container in spec.get("containers", []):
        where = f"{WHERE}.spec.containers[{container['name']}]"
        if container["name"] != "worker":
            yield _needs_admission(where)
            continue
        yield from _outside(container, SAFE_CONTAINER_FIELDS, where)
        yield from _outside(container.get("resources", {}), SAFE_RESOURCES, f"{where}.resources")


def _outside(fields: Collection[str], safe: Collection[str], where: str) -> Iterator[str]:
    for field in fields:
        if field not in safe:
            yield _needs_admission(f"{where}.{field}")


def _needs_admission(field: str) -> str:
    return (
        f"{field}: only labels, resources and scheduling are taken while the admission policy for worker templates"
        " is not installed; ask the administrator for it, or for a worker default in this namespace"
    )
