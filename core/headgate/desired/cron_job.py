"""The CronJob of a periodic task. It starts runs; that none overlaps is the gate's, which also sees runs by hand."""

from __future__ import annotations

from headgate.desired.run_pod import run_pod_template
from headgate.desired.wanted import Manifest, content_hash
from headgate.desired.wanted_task import WantedTask
from headgate.names import HASH_ANNOTATION, task_labels

SKIP_SECONDS = 15
"""With onOverlap: Skip a tick is not made up for. Below 10 s the controller may miss ticks altogether."""
LATE_SECONDS = 300
"""With RunLate: so long after the deadline of the run before it."""
SUCCEEDED_KEPT, FAILED_KEPT = 3, 3
"""Jobs that `kubectl get jobs` still shows."""


def cron_job(wanted: WantedTask) -> Manifest:
    task = wanted.task
    metadata, spec, labels = task.metadata, task.spec, task_labels(task.metadata.name)
    late = spec.deadline_seconds + LATE_SECONDS
    owner = {
        "apiVersion": task.api_version,
        "kind": task.kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    job = {
        "activeDeadlineSeconds": spec.deadline_seconds,
        "backoffLimit": spec.retries,
        "podReplacementPolicy": "Failed",  # a second attempt must not begin while the first is still ending
        "template": run_pod_template(wanted),
    }
    manifest: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "schedule": spec.schedule,
            "timeZone": spec.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": SKIP_SECONDS if spec.on_overlap == "Skip" else late,
            "suspend": spec.stop_policy == "Hold",
            "successfulJobsHistoryLimit": SUCCEEDED_KEPT,
            "failedJobsHistoryLimit": FAILED_KEPT,
            "jobTemplate": {"metadata": {"labels": labels}, "spec": job},
        },
    }
    manifest["metadata"]["annotations"] = {HASH_ANNOTATION: content_hash(manifest)}
    return manifest
