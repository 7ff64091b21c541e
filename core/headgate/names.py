"""Names and labels that several parts must agree on."""

from __future__ import annotations

GROUP = "headgate.dev"
HASH_ANNOTATION = f"{GROUP}/desired-hash"
POLICY_LABEL = f"{GROUP}/queue-policy"
TASK_LABEL = f"{GROUP}/periodic-task"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"


def worker_name(policy: str) -> str:
    """Of the Deployment, PodDisruptionBudget, NetworkPolicy and ServiceAccount of a policy."""
    return f"{policy}-worker"


def selector_labels(policy: str) -> dict[str, str]:
    """What finds a policy's worker pods. A Deployment's selector is immutable: never change these."""
    return {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/component": "worker", POLICY_LABEL: policy}


def labels(policy: str) -> dict[str, str]:
    """On every child of a policy, and on its pods."""
    return {**selector_labels(policy), INSTANCE: policy, MANAGED_BY: "headgate"}


def task_labels(task: str) -> dict[str, str]:
    """On the CronJob of a periodic task, its Jobs and their pods. None of them is a worker of any policy."""
    own = {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/component": "task", TASK_LABEL: task}
    return {**own, INSTANCE: task, MANAGED_BY: "headgate"}


def selector(policy: str) -> str:
    """`selector_labels` as kubectl and /scale write them."""
    return ",".join(f"{name}={value}" for name, value in sorted(selector_labels(policy).items()))


def full_name(namespace: str, name: str) -> str:
    """`<namespace>/<name>`: what an owner or a budget is called in the store."""
    return f"{namespace}/{name}"
