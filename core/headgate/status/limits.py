"""status.limits: each limit in force, and who says so."""

from __future__ import annotations

from typing import Any, Literal

from headgate.model.documents import OverrideDocument, QueueDocument, RateDocument

Source = Literal["Spec", "Default", "Override"]
Entry = dict[str, Any]


def limits(
    document: QueueDocument, override: OverrideDocument | None, *, rate_declared: bool, expire_time: str = ""
) -> list[Entry]:
    """`override` only while it is in force; `rate_declared`: the spec itself says rate.perWorker."""
    return [
        *_stop_policy(override, expire_time),
        _entry("concurrency.perWorker", document.per_worker, "Spec"),
        *_overridden("concurrency.total", document.total, override.total if override else None, expire_time),
        *_declared("concurrency.perKey", document.per_key),
        *_declared("rate.perWorker", document.rate_per_worker, "Spec" if rate_declared else "Default"),
        *_overridden("rate.total", document.rate_total, override.rate_total if override else None, expire_time),
        *_declared("rate.perKey", document.rate_per_key),
        *_declared("backlog", document.backlog),
    ]


Value = int | str | RateDocument


def _stop_policy(override: OverrideDocument | None, expire_time: str) -> list[Entry]:
    if override is None or override.stop_policy is None:
        return []
    return [_entry("stopPolicy", override.stop_policy, "Override", expire_time)]


def _overridden(name: str, declared: Value | None, over: Value | None, expire_time: str) -> list[Entry]:
    return _declared(name, declared) if over is None else [_entry(name, over, "Override", expire_time)]


def _declared(name: str, value: Value | None, source: Source = "Spec") -> list[Entry]:
    return [] if value is None else [_entry(name, value, source)]


def _entry(name: str, value: Value, source: Source, expire_time: str = "") -> Entry:
    entry = {"name": name, "value": _written(value), "source": source}
    return entry | ({"expireTime": expire_time} if expire_time else {})


def _written(value: Value) -> str:
    """`10`, `200/1s`"""
    return f"{value.limit}/{value.period_ms // 1000}s" if isinstance(value, RateDocument) else str(value)
