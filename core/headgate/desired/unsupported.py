"""Fields that are declared and do nothing in this version: refused, never ignored."""

from __future__ import annotations

from headgate.model.queue_policy import Memory, QueuePolicy

DEFAULT_MEMORY = Memory()


def unsupported(policy: QueuePolicy) -> str:
    """A sentence about the first such field, empty when there is none.

    The API server fills in the thresholds of `memory`, so their defaults say nothing about what the author wants.
    """
    workers = policy.spec.workers
    if workers.autoscaling:
        return _sentence("autoscaling")
    memory = workers.memory
    if memory and memory.recycle_slot_above_mib is None:
        return _sentence("memory without recycleSlotAboveMiB")
    if memory and memory.hold_above_percent != DEFAULT_MEMORY.hold_above_percent:
        return _sentence("memory.holdAbovePercent")
    if memory and memory.resume_below_percent != DEFAULT_MEMORY.resume_below_percent:
        return _sentence("memory.resumeBelowPercent")
    return ""


def _sentence(field: str) -> str:
    return f"spec.workers.{field}: this version does nothing with it, remove it."
