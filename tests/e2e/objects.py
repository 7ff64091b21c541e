"""The Kubernetes objects of the scenarios, restricted Pod Security clean."""

from __future__ import annotations

from typing import Any

from .images import APP


def policy(name: str, recorder: str, image: str = APP, **spec: Any) -> dict[str, Any]:
    """A QueuePolicy whose workers run the suite's application; `spec` is laid over it."""
    workers = spec.pop("workers", {})
    container = {
        "name": "worker",
        "image": image,
        "imagePullPolicy": "Never",
        "env": [{"name": "RECORDER", "value": recorder}, {"name": "HEADGATE_PRELOAD", "value": "e2e_app"}],
        **workers.pop("container", {}),
    }
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "QueuePolicy",
        "metadata": {"name": name},
        "spec": {**spec, "workers": {"template": {"spec": {"containers": [container]}}, **workers}},
    }


def deployment(name: str, image: str, command: list[str], replicas: int = 1, **container: Any) -> dict[str, Any]:
    """A Deployment of one container with label `app`; `container` is laid over it."""
    labels = {"app": name}
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    whole = {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "command": command,
        "securityContext": security,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        **container,
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [whole],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def service(name: str, port: int) -> dict[str, Any]:
    """A Service for the Deployment of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }


def reason(found: dict[str, Any], condition: str) -> str:
    """The reason of a condition, or "" while it has none."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((entry["reason"] for entry in conditions if entry["type"] == condition), "")
