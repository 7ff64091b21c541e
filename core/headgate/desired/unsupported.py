"""Fields that are declared and do nothing in this version: refused, never ignored."""

from __future__ import annotations

from headgate.model.queue_policy import QueuePolicy


def unsupported(policy: QueuePolicy) -> str:
    """A sentence about the first such field, empty when there is none."""
    return _sentence("autoscaling") if policy.spec.workers.autoscaling else ""


def _sentence(field: str) -> str:
    return f"spec.workers.{field}: this version does nothing with it, remove it."
