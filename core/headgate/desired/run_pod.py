"""The pod of one run: the worker's pod, with another program in it and no port, no probe, no second try of its own."""

from __future__ import annotations

from headgate.desired.container import STORE_MOUNT, worker
from headgate.desired.pod import pod_spec
from headgate.desired.wanted import Manifest, by_name, worker_container
from headgate.desired.wanted_task import WantedTask
from headgate.names import task_labels, worker_name

JOB_NAME = "metadata.labels['batch.kubernetes.io/job-name']"
"""What the controller calls the Job of a tick ends in its minutes since 1970; a Job made by hand has any name."""
GRACE_SECONDS = 30
"""For a function to stop after SIGTERM, and for its end to be noted."""
_OF_WORKERS = ("startupProbe", "livenessProbe", "readinessProbe", "ports")


def run_pod_template(wanted: WantedTask) -> Manifest:
    template = wanted.as_workers.policy.spec.workers.template
    user = template.metadata if template else None
    metadata: Manifest = {"labels": {**((user and user.labels) or {}), **task_labels(wanted.task.metadata.name)}}
    if user and user.annotations:
        metadata["annotations"] = dict(user.annotations)
    return {"metadata": metadata, "spec": run_pod_spec(wanted)}


def run_pod_spec(wanted: WantedTask) -> Manifest:
    workers = wanted.as_workers
    spec = pod_spec(workers)
    if "topologySpreadConstraints" not in workers.template_spec:
        del spec["topologySpreadConstraints"]
    if not workers.service_account:
        del spec["serviceAccountName"]
        if wanted.policy:
            spec["serviceAccountName"] = worker_name(wanted.policy.metadata.name)
    containers = [_runner(wanted) if container["name"] == "worker" else container for container in spec["containers"]]
    return spec | {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": containers,
    }


def _runner(wanted: WantedTask) -> Manifest:
    workers = wanted.as_workers
    user = worker_container(workers.template_spec)
    container = {name: value for name, value in worker(workers).items() if name not in _OF_WORKERS}
    if user.get("ports"):
        container["ports"] = list(user["ports"])
    return container | {
        "command": ["headgate-task"],
        "env": by_name(run_environment(wanted), workers.defaults.env, user.get("env", [])),
    }


def run_environment(wanted: WantedTask) -> list[Manifest]:
    """Where the runner learns which task it runs. What it calls, and for how long, stands in the store."""
    literal = {
        "HEADGATE_TASK": wanted.task.full_name,
        "HEADGATE_STORE_URL_FILE": f"{STORE_MOUNT}/url",
        "RQ_KEY_PREFIX": wanted.store.key_prefix,
    }
    fields = {"HEADGATE_POD_NAME": "metadata.name", "HEADGATE_JOB_NAME": JOB_NAME}
    return [
        *({"name": name, "value": value} for name, value in literal.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]
