"""Budget: a gate shared by several policies."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval

from headgate.model.common import NAME_FITS, STORE_IS_IMMUTABLE, Declared, DnsLabel, Metadata, Rate, Whole
from headgate.model.rules import Rule, Transition


class BudgetConcurrency(Declared):
    """Places for all members together."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.httpReserved < self.total",
            message="httpReserved must leave at least one place for jobs",
            holds=lambda c: c.http_reserved < c.total,
            names=("httpReserved", "total"),
        ),
    )

    total: Annotated[Whole, Interval(ge=1, le=100_000)]
    """Places."""
    http_reserved: Annotated[Whole, Interval(ge=0, le=99_999)] = 0
    """Places that jobs may not take, so that requests always find some."""


class BudgetRate(Declared):
    """Starts of all members together."""

    total: Rate
    """Job starts and request starts alike."""


class BudgetSpec(Declared):
    """A gate shared by several policies: a connection pool, a provider's limit."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.concurrency) || has(self.rate)",
            message="a budget needs concurrency or rate",
            holds=lambda spec: spec.concurrency is not None or spec.rate is not None,
        ),
    )
    transitions: ClassVar[tuple[Transition, ...]] = (STORE_IS_IMMUTABLE,)

    store: DnsLabel = "default"
    """Name of a store that the administrator configured; its members name the same. Immutable."""
    concurrency: BudgetConcurrency | None = None
    """Places for all members together."""
    rate: BudgetRate | None = None
    """Starts of all members together."""


class Budget(Declared):
    """One Budget as parsed. `status` is kept as read and judged by nobody here."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_FITS,)

    api_version: Literal["headgate.dev/v1alpha1"]
    kind: Literal["Budget"]
    metadata: Metadata
    spec: BudgetSpec
    status: dict[str, Any] | None = None

    @property
    def full_name(self) -> str:
        """`<namespace>/<name>`: what the store calls it."""
        return f"{self.metadata.namespace}/{self.metadata.name}"
