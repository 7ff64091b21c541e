"""What the reference keeps of HTTP: declared surfaces, what each identity did under each rule, and who serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.gates.model.http_starts import Starts
from headgate.gates.model.leases import Leases
from headgate.model.documents import HttpDocument

API_MS = 15_000
"""An API process that did not renew for three beats is gone."""
FORGET_HELD_MS = 60_000
"""Requests in flight are forgotten so long after the last of them was kept."""
KEEP_LAPSED_MS = 40_000
"""A lapsed place may still be kept again so long: when the store stood still, all of them lapsed."""


@dataclass(slots=True)
class Counted:
    """Of one rule, as `RuleCounts`; `identities`: who was refused."""

    allowed: int = 0
    denied: int = 0
    shadowed: int = 0
    near: int = 0
    identities: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Surface:
    revision: int
    document: HttpDocument
    counted: dict[str, Counted] = field(default_factory=dict)
    """By rule name; goes with the rule."""


@dataclass(frozen=True, slots=True)
class Ban:
    """`ends` (ms). Remembered with its strikes for a day after that."""

    ends: int
    strikes: int
    forgotten: int


@dataclass(slots=True)
class Client:
    """One identity under one rule. `failures`: what a rule with count: Failures counts, apart from all starts."""

    starts: Starts = field(default_factory=Starts)
    failures: Starts = field(default_factory=Starts)
    held: Leases = field(default_factory=Leases)
    held_until: int = 0
    """When `held` is forgotten (ms)."""
    ban: Ban | None = None

    def expire(self, now: int) -> None:
        """Forget what lived long enough."""
        self.starts.expire(now)
        self.failures.expire(now)
        if self.held_until <= now:
            self.held.ends.clear()
        if self.ban and self.ban.forgotten <= now:
            self.ban = None

    @property
    def is_empty(self) -> bool:
        return not (self.starts.entries or self.failures.entries or self.held.ends or self.ban)


@dataclass(frozen=True, slots=True)
class Api:
    """An API process as it last renewed. `in_flight`: `<surface>/<rule>` -> requests."""

    pod: str
    surfaces: Mapping[str, int]
    in_flight: Mapping[str, int]
    at: int


@dataclass(slots=True)
class Http:
    surfaces: dict[str, Surface] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    """`<surface>/<rule>/<identity>` -> what it did."""
    apis: dict[str, Api] = field(default_factory=dict)
    apis_until: int = 0
    """All of them are forgotten then (ms): nobody renews any more."""

    def client(self, where: str, now: int) -> Client:
        """Forgotten again by `expire` when nothing comes of it."""
        client = self.clients.setdefault(where, Client())
        client.expire(now)
        return client

    def expire(self, now: int) -> None:
        for where in list(self.clients):
            if self.client(where, now).is_empty:
                del self.clients[where]
        alive = self.apis_until > now
        self.apis = {name: api for name, api in self.apis.items() if alive and api.at > now - API_MS}


def publish(http: Http, document: HttpDocument, revision: int) -> None:
    """Counters stay: they belong to names of rules. What a rule that is gone counted goes with it."""
    earlier = http.surfaces.get(document.surface)
    counted = earlier.counted if earlier else {}
    kept = {rule.name: counted.get(rule.name, Counted()) for rule in document.rules}
    http.surfaces[document.surface] = Surface(revision, document, kept)
