"""What the reconcile loop tells, as metrics and as a sign of life; and the clock that it is passed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

from headgate.control.ports import Key, Kind, Telemetry
from headgate_operator.health import Health
from headgate_operator.metrics import Metrics


class OperatorTelemetry(Telemetry):
    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health

    def reconciled(self, key: Key, result: Literal["ok", "retry", "error"], seconds: float) -> None:
        self._metrics.reconciles.labels(kind=key.kind.kind, result=result).inc()
        self._metrics.reconcile_seconds.labels(kind=key.kind.kind).observe(seconds)

    def repaired(self, kind: Kind) -> None:
        self._metrics.drift_corrected.labels(kind=kind.kind).inc()

    def scaled(self, key: Key, before: int, after: int) -> None:
        direction = "out" if after > before else "in"
        self._metrics.scalings.labels(namespace=key.namespace, name=key.name, direction=direction).inc()

    def quarantined(self, store: str) -> None:
        self._metrics.quarantines.labels(store=store).inc()

    def resynced(self) -> None:
        self._health.resynced()


class SystemClock:
    """`control.ports.Clock` of this machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
