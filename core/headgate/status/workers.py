"""WorkersReady: what the Deployment says of itself, in one of seven words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.status import reasons
from headgate.status.conditions import Verdict

Manifest = Mapping[str, Any]


def workers_ready(deployment: Manifest | None, foreign: str = "") -> Verdict:
    """`foreign` describes an object with our name that is not ours."""
    if foreign:
        return Verdict(reasons.NOT_OWNED, foreign)
    if deployment is None:
        return Verdict(reasons.NOT_RECONCILED)
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    if wanted == 0:
        return Verdict(reasons.SCALED_TO_ZERO)
    observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    available = status.get("availableReplicas", 0)
    if observed and available >= wanted:
        return Verdict(reasons.MINIMUM_AVAILABLE, f"{available} of {wanted} workers are available.")
    return _stuck(status) or Verdict(reasons.PROGRESSING, f"{available} of {wanted} workers are available.")


def _stuck(status: Manifest) -> Verdict | None:
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    failure, progress = conditions.get("ReplicaFailure", {}), conditions.get("Progressing", {})
    if failure.get("status") == "True":
        text = failure.get("message", "")
        return Verdict(reasons.QUOTA_EXCEEDED if "exceeded quota" in text else reasons.UNAVAILABLE, text)
    if progress.get("status") == "False":
        return Verdict(reasons.UNAVAILABLE, progress.get("message", ""))
    return None
