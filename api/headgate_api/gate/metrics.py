"""What the middleware counts: plain numbers in the hot path, shown to Prometheus when its client is installed.

Labels are names from the policy and fixed words; an identity is never one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

Source = Literal["store", "local", "open", "cache"]
"""Who decided: the store, this process alone, nobody (let pass, or unavailable), or a refusal still in force."""


class Result(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
    SHADOWED = "shadowed"
    UNAVAILABLE = "unavailable"
    UNPOLICIED = "unpolicied"


@dataclass(slots=True)
class Count:
    value: int = 0


class Counts:
    """All of one process."""

    def __init__(self) -> None:
        self.decisions: dict[tuple[str, str, str, str], Count] = {}
        self.near: dict[tuple[str, str], Count] = {}
        self.timeouts: dict[tuple[str], Count] = {}
        self._shown = False

    def decision(self, surface: str, rule: str, result: Result, source: Source) -> Count:
        """`rule` empty: no rule was asked."""
        return self.decisions.setdefault((surface, rule, str(result), source), Count())

    def near_limit(self, surface: str, rule: str) -> Count:
        return self.near.setdefault((surface, rule), Count())

    def timeout(self, surface: str) -> Count:
        return self.timeouts.setdefault((surface,), Count())

    def show(self) -> None:
        """Register with Prometheus' default registry, once, where the client is installed."""
        if self._shown:
            return
        self._shown = True
        try:
            from prometheus_client import REGISTRY
        except ImportError:
            return
        REGISTRY.register(self)

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily

        def family(name: str, text: str, labels: tuple[str, ...], counts: dict[Any, Count]) -> Any:
            found = CounterMetricFamily(name, text, labels=labels)
            for values, count in list(counts.items()):
                found.add_metric(values, count.value)
            return found

        decided = "Requests by rule, what was decided, and who decided"
        yield family("headgate_http_decisions", decided, ("surface", "rule", "result", "source"), self.decisions)
        near = "Requests admitted with more than 0.8 of the rule's limit used"
        yield family("headgate_http_near_limit", near, ("surface", "rule"), self.near)
        yield family("headgate_http_timeouts", "Requests ended at their deadline", ("surface",), self.timeouts)


COUNTS = Counts()
