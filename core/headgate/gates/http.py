"""What the gates can be asked about HTTP requests, and what they answer: of `Door`, `HttpDoor`, `ReferenceGates`.

All times are the store's own, in milliseconds. An identity is 32 hexadecimal digits (an HMAC of the
canonical client), or `-` for a Global rule: it cannot carry a separator and says nothing about the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from headgate.model.documents import HttpDocument

BANS_MS = (900_000, 3_600_000, 86_400_000)
"""A Failures rule that fills up shuts its identity out: the first, the second, any later time within a day."""


PROXY_INSTANCE = "authz_"
"""An instance whose id begins so answers a proxy that does not call /report: it never sees how a request ends.

No pod's name has an underscore, so no middleware's id begins so by chance.
"""


class HttpGate(StrEnum):
    """What refused, within one rule, in the order of checking; budgets append `/<namespace>/<name>`."""

    BAN = "ban"
    RATE = "rate"
    IN_FLIGHT = "inFlight"
    BUDGET = "budget"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Admit:
    """May this request start? `rules`: (index of the rule in the document of `revision`, identity), all that match.

    `request` is `<instance>:<n>`, new for each request; it names the places. Never sent twice.
    """

    surface: str
    revision: int
    instance: str
    request: str
    rules: Sequence[tuple[int, str]]


@dataclass(slots=True)
class RuleState:
    """One rule as the request left it. `limit` 0: it has no rate. `reset_ms`: until the window is empty again.

    Not frozen: several are made for each request, and that would take thrice as long.
    """

    index: int
    limit: int
    remaining: int
    reset_ms: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """`places` go to `settle` and `renew_requests`; `stamp` (us) names the starts, for a refund.

    A place names all that it takes to give it back, whatever became of the document: `i<request> <surface>/<rule>/
    <identity>` in flight, `b<request> <weight>:<budget>`, `f<request> <surface>/<rule>/<identity>` a reserved failure.
    No places: there is nothing to settle.

    `shadowed`: rules in Shadow that would have refused; they took nothing.
    """

    states: tuple[RuleState, ...]
    places: tuple[str, ...]
    stamp: int
    shadowed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing was taken, no counter of any rule moved. `retry_ms` until it is worth asking again, 0 when not known.

    `index`: the rule that refused first, in the document's order; `gate` is what in it refused (`HttpGate`).
    """

    index: int
    gate: str
    retry_ms: int
    states: tuple[RuleState, ...]


@dataclass(frozen=True, slots=True)
class StaleRules:
    """The surface has another revision than the caller matched with (0: no policy): read it and ask again, once."""

    revision: int


AdmitAnswer = Allowed | Denied | StaleRules


@dataclass(frozen=True, slots=True)
class Settle:
    """A request ended. `failed`: status >= 400, or nothing was answered. A Failures rule forgets what did not fail."""

    surface: str
    request: str
    places: tuple[str, ...]
    stamp: int
    failed: bool


@dataclass(frozen=True, slots=True)
class RequestsBeat:
    """What an API process says of itself every `RENEW_MS`. `surfaces`: surface -> revision in use (0: none found).

    `places`: all places of all requests in flight, as `Allowed` named them. No surfaces: goodbye.
    `refused`: (surface, rule) -> requests that this process refused since its last beat without asking the store.
    """

    instance: str
    pod: str
    surfaces: Mapping[str, int]
    places: Sequence[str]
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestsRenewal:
    """`revisions`: surface -> revision in the store, 0 when none. `now` is the store's clock (ms).

    `instances`: surface -> API processes that serve it and are alive, with the one that asks.
    """

    revisions: Mapping[str, int]
    quarantine_until: int
    now: int
    instances: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """One rule since it was published: requests admitted, refused, refused in Shadow; `near`: admitted above 0.8."""

    allowed: int = 0
    denied: int = 0
    shadowed: int = 0
    near: int = 0
    identities_denied: int = 0
    """About how many different identities were refused (HyperLogLog): many with few refusals each are real users."""
    in_flight: int = 0
    """As the API processes last said (`renew_requests`); of rules with inFlight."""


@dataclass(frozen=True, slots=True)
class SurfaceState:
    """One surface as it stands. `instances`: API process -> revision in use. `rules` by rule name."""

    surface: str
    revision: int
    document: HttpDocument
    rules: Mapping[str, RuleCounts]
    instances: Mapping[str, int] = field(default_factory=dict)


class HttpGates(Protocol):
    """The verbs for requests. Raises `StoreFull` (admit only) and `StoreUnavailable`."""

    def admit(self, admit: Admit) -> AdmitAnswer: ...

    def settle(self, settles: Sequence[Settle]) -> int:
        """Places given back and starts refunded; sent twice it does nothing more."""

    def renew_requests(self, beat: RequestsBeat) -> RequestsRenewal: ...

    def read_http(self, surface: str) -> tuple[int, HttpDocument] | None: ...

    def inspect_http(self) -> Mapping[str, SurfaceState]: ...
