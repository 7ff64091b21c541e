"""HTTPPolicy: the declared limits of one HTTP surface, as a middleware or a proxy asks for it by name."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval, Len
from pydantic import Field, StringConstraints

from headgate.model.checked import Checked
from headgate.model.cidr import is_cidr
from headgate.model.common import (
    HEADER_NAME,
    NAME_FITS,
    PATH,
    STORE_IS_IMMUTABLE,
    BudgetRefs,
    Declared,
    DnsLabel,
    Metadata,
    Rate,
    Text,
    Whole,
)
from headgate.model.lists import ListMap, ListSet
from headgate.model.rules import Rule, Transition

CIDR = Rule(
    cel="isCIDR(self)",
    message="trustedProxies are CIDRs, for example 10.0.0.0/8",
    holds=is_cidr,
)
Cidr = Annotated[Text, StringConstraints(min_length=1, max_length=43), Checked(CIDR)]
Host = Annotated[Text, StringConstraints(min_length=1, max_length=253)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]


class HttpPath(Declared):
    """Paths as the router sees them: decoded, without query."""

    type: Literal["Exact", "Prefix", "Template"] = "Prefix"
    """Prefix: whole segments, /api matches /api/x and not /apix. Template: `{id}` is one segment, `{rest:path}` all."""
    value: Annotated[Text, StringConstraints(min_length=1, max_length=256, pattern=PATH)]
    """Begins with a slash."""


class Match(Declared):
    """Which requests a rule is about. What is absent or empty matches all."""

    methods: Annotated[tuple[Method, ...] | None, Len(max_length=9), ListSet()] = None
    """Any of these; HEAD counts as GET."""
    paths: Annotated[tuple[HttpPath, ...] | None, Len(max_length=16)] = None
    """Any of these."""
    hosts: Annotated[tuple[Host, ...] | None, Len(max_length=16), ListSet()] = None
    """Any of these, without port; `*.example.com` is every host below it."""


class HttpKey(Declared):
    """For whom a rule counts: each key has a window and places of its own."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.type == 'Header') == has(self.header)",
            message="header is set exactly when key.type is Header",
            holds=lambda key: (key.type == "Header") == (key.header is not None),
            names=("type", "header"),
        ),
    )

    type: Literal["ClientIP", "User", "Header", "Global"] = "ClientIP"
    """User: as the application names it; a request without a user counts by ClientIP. Global: all together."""
    header: Annotated[Text, StringConstraints(min_length=1, max_length=64, pattern=HEADER_NAME)] | None = None
    """Name of the header whose value is the key. Without it a request counts by ClientIP."""


class HttpRule(Declared):
    """One limit. Every rule that matches a request applies to it: it starts when all of them let it, or not at all."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.rate) || has(self.inFlight) || (has(self.budgetRefs) && size(self.budgetRefs) > 0)",
            message="a rule needs rate, inFlight or budgetRefs",
            holds=lambda rule: rule.rate is not None or rule.in_flight is not None or bool(rule.budget_refs),
        ),
        Rule(
            cel="self.count == 'All' || has(self.rate)",
            message="count: Failures needs a rate",
            holds=lambda rule: rule.count == "All" or rule.rate is not None,
        ),
        Rule(
            cel="!has(self.rate) || self.cost <= self.rate.limit",
            message="cost can never fit into rate.limit",
            holds=lambda rule: rule.rate is None or rule.cost <= rule.rate.limit,
            names=("cost", "rate"),
        ),
    )

    name: DnsLabel
    """What headers, logs and metrics call it."""
    mode: Literal["Enforce", "Shadow"] = "Enforce"
    """Shadow counts what it would have refused and refuses nothing."""
    match: Match = Match()
    """Which requests it is about."""
    key: HttpKey = HttpKey()
    """For whom it counts."""
    rate: Rate | None = None
    """Requests that may start in any window, for each key."""
    in_flight: Annotated[Whole, Interval(ge=1, le=10_000)] | None = None
    """Requests that may run at once, for each key."""
    count: Literal["All", "Failures"] = "All"
    """Failures: only what was answered with 400 or above counts; while it runs, every request is taken for one."""
    cost: Annotated[Whole, Interval(ge=1, le=1_000)] = 1
    """Starts that each request takes of the rate."""
    budget_refs: BudgetRefs | None = None
    """Budgets that these requests share with jobs and others."""


class HTTPPolicySpec(Declared):
    """The declared limits of one HTTP surface."""

    transitions: ClassVar[tuple[Transition, ...]] = (
        STORE_IS_IMMUTABLE,
        Transition(
            cel="has(self.surface) == has(oldSelf.surface) && (!has(self.surface) || self.surface == oldSelf.surface)",
            message="surface is immutable",
            holds=lambda new, old: new.surface == old.surface,
        ),
    )

    store: DnsLabel = "default"
    """Name of a store that the administrator configured. Immutable."""
    surface: DnsLabel | None = None
    """What GateMiddleware(surface=...) and /authz/ name. Absent: metadata.name. Immutable."""
    on_store_failure: Literal["Deny", "Allow", "Local"] = "Local"
    """While the store is away. Local: each process keeps its share of the limits in its own memory."""
    trusted_proxies: Annotated[tuple[Cidr, ...] | None, Len(max_length=32), ListSet()] = None
    """Whose forwarding headers are believed, from the right. Absent: nobody's."""
    ipv6_prefix_length: Annotated[Whole, Interval(ge=32, le=128)] = 64
    """IPv6 clients with these first bits in common are one client."""
    request_timeout_seconds: Annotated[Whole, Interval(ge=1, le=3_600)] = 30
    """A request that has not begun to answer by then gets 504; one that has is cut off."""
    max_body_bytes: Annotated[Whole, Interval(ge=0, le=1_073_741_824)] = 1_048_576
    """Larger bodies get 413."""
    limits: Annotated[tuple[HttpRule, ...], Len(1, 32), ListMap("name")] = Field(alias="rules")
    """The limits."""


class HTTPPolicy(Declared):
    """One HTTPPolicy as parsed. `status` is kept as read and judged by nobody here."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_FITS,)

    api_version: Literal["headgate.dev/v1alpha1"]
    kind: Literal["HTTPPolicy"]
    metadata: Metadata
    spec: HTTPPolicySpec
    status: dict[str, Any] | None = None

    @property
    def surface(self) -> str:
        """The surface it governs."""
        return self.spec.surface or self.metadata.name
