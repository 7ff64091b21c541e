"""An events.k8s.io/v1 Event as the API server takes it."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Literal

from headgate.control.ports import Kind, Manifest

EVENT = Kind("events.k8s.io", "v1", "events", "Event")
CONTROLLER = "headgate.dev/operator"
NOTE_LIMIT = 1024
"""Longest `note` the API takes, in bytes."""


def new_event(regarding: Manifest, *, reason: str, message: str, type_: Literal["Normal", "Warning"]) -> Manifest:
    metadata = regarding["metadata"]
    now = datetime.now(UTC)
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{metadata['name']}.{int(now.timestamp() * 1e6):x}", "namespace": metadata["namespace"]},
        "eventTime": microtime(now),
        "type": type_,
        "reason": reason,
        "note": message.encode()[:NOTE_LIMIT].decode("utf-8", "ignore"),
        "action": "Reconcile",
        "reportingController": CONTROLLER,
        "reportingInstance": socket.gethostname()[:128],
        "regarding": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
    }


def microtime(at: datetime) -> str:
    """Kubernetes' MicroTime of an aware UTC time: `2026-01-31T12:00:00.000000Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
