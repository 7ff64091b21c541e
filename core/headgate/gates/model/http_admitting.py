"""admit: every rule looks, then every rule takes, or none does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headgate.gates.http import BANS_MS, Admit, AdmitAnswer, Allowed, Denied, HttpGate, RuleState, StaleRules
from headgate.gates.leases import LEASE_MS
from headgate.gates.model.budgets import Budget
from headgate.gates.model.http_starts import Starts, form_of
from headgate.gates.model.http_state import FORGET_HELD_MS, Ban, Client, Counted, Surface
from headgate.gates.model.limits import rate_of
from headgate.gates.model.rates import Rate
from headgate.gates.model.state import Store
from headgate.model.documents import HttpRule

NEAR = 0.8


def admit(store: Store, admit: Admit) -> AdmitAnswer:
    surface = store.http.surfaces.get(admit.surface)
    if surface is None or surface.revision != admit.revision:
        return StaleRules(surface.revision if surface else 0)
    looks = [Look.at(store, surface, index, identity) for index, identity in admit.rules]
    for look in looks:
        look.look(store)
    refused = [look for look in looks if look.gate and not look.is_shadow]
    shadowed = tuple(look.index for look in looks if look.gate and look.is_shadow)
    for look in looks:
        look.counted.shadowed += look.index in shadowed
    if refused:
        first = min(refused, key=lambda look: look.index)
        first.counted.denied += 1
        first.counted.identities.add(first.identity)
        retry = max(look.retry for look in refused)
        return Denied(first.index, first.gate, retry, tuple(look.state(store) for look in looks))
    taking = [look for look in looks if not look.gate]
    stamp = max([store.us, *(look.newest + 1 for look in taking)])
    places = [place for look in taking for place in look.take(store, admit.request, stamp)]
    places += take_shares(store, admit.request, taking)
    store.meta.seq += any(place[0] in "ib" for place in places)
    return Allowed(tuple(look.state(store) for look in looks), tuple(places), stamp, shadowed)


@dataclass(slots=True)
class Look:
    """One rule and one identity. `gate`: what in it refuses first, "" when nothing. `newest` counts (us), 0: none."""

    index: int
    rule: HttpRule
    identity: str
    where: str
    client: Client
    counted: Counted
    rate: Rate | None
    gate: str = ""
    retry: int = 0
    banned: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    used: int = 0
    newest: int = 0

    @classmethod
    def at(cls, store: Store, surface: Surface, index: int, identity: str) -> Look:
        rule = surface.document.rules[index]
        where = f"{surface.document.surface}/{rule.name}/{identity}"
        client = store.http.client(where, store.now)
        return cls(index, rule, identity, where, client, surface.counted[rule.name], rate_of(rule.rate))

    @property
    def is_shadow(self) -> bool:
        return self.rule.mode == "Shadow"

    @property
    def starts(self) -> Starts:
        return self.client.failures if self.rule.count == "Failures" else self.client.starts

    def refuse(self, gate: str, retry: int) -> None:
        self.gate = self.gate or gate
        self.retry = max(self.retry, retry)

    def look(self, store: Store) -> None:
        if self.rate:
            self._look_at_rate(store, self.rate)
        if self.rule.in_flight and held(self.client, store.now) >= self.rule.in_flight:
            self.refuse(HttpGate.IN_FLIGHT, 0)
        for share in self.rule.budgets:
            self._look_at_budget(store, share.name, share.weight)
        if store.quarantined and (self.rule.in_flight or self.rule.budgets):
            self.refuse(HttpGate.QUARANTINE, store.meta.quarantine_until - store.now)

    def _look_at_rate(self, store: Store, rate: Rate) -> None:
        if self.rule.count == "Failures":
            self.banned = ban_left(self.client.ban, store.now)
            if self.banned:
                self.refuse(HttpGate.BAN, self.banned)
        self.starts.cross(store.us, rate.period, form_of(self.rule))
        counting = self.starts.counting(store.us, rate.period)
        self.used = sum(start.count for start in counting)
        self.newest = counting[0].at if counting else 0
        opens = self.starts.opens(store.us, rate.limit, rate.period, self.rule.cost)
        if opens is not None:
            self.refuse(HttpGate.RATE, max(0, -(-(opens - store.us) // 1000)))

    def _look_at_budget(self, store: Store, name: str, weight: int) -> None:
        """HTTP may take every free place: what it does not use of `httpReserved` is kept from jobs only."""
        budget, gate = store.budgets.get(name), f"{HttpGate.BUDGET}/{name}"
        if budget is None:
            return self.refuse(gate, 0)
        total = budget.document.total
        if total and budget.used(store.now) + weight > total:
            self.refuse(gate, 0)
        opens = _budget_opens(store, budget, weight)
        if opens:
            self.refuse(gate, -(-(opens - store.us) // 1000))
        self.shares[name] = max(weight, self.shares.get(name, 0))
        return None

    def take(self, store: Store, request: str, stamp: int) -> list[str]:
        places = []
        if self.rate:
            self.starts.record(store.us, stamp, self.rate.period, self.rule.cost)
            self.used, self.newest = self.used + self.rule.cost, stamp
            if self.rule.count == "Failures":
                places.append(f"f{request} {self.where}")
        if self.rule.in_flight:
            self.client.held.take(request, store.now + LEASE_MS)
            self.client.held_until = store.now + FORGET_HELD_MS
            places.append(f"i{request} {self.where}")
        self.counted.allowed += 1
        self.counted.near += self._is_near(store.now)
        return places

    def _is_near(self, now: int) -> bool:
        full = self.rate is not None and self.used > NEAR * self.rate.limit
        return full or bool(self.rule.in_flight and held(self.client, now) > NEAR * self.rule.in_flight)

    def state(self, store: Store) -> RuleState:
        if self.rate is None:
            return RuleState(self.index, 0, 0, 0)
        left = -(-(self.newest + self.rate.period - store.us) // 1000) if self.newest else 0
        remaining = 0 if self.banned else max(0, self.rate.limit - self.used)
        return RuleState(self.index, self.rate.limit, remaining, max(left, self.banned))


def held(client: Client, now: int) -> int:
    """Requests in flight. A lease that ends later than it could was taken before the clock was set back."""
    return sum(now < end <= now + FORGET_HELD_MS for end in client.held.ends.values())


def ban_left(ban: Ban | None, now: int) -> int:
    """Milliseconds; never longer than the ban was, whatever the clock did."""
    if ban is None:
        return 0
    return max(0, min(ban.ends - now, BANS_MS[min(ban.strikes, len(BANS_MS)) - 1]))


def _budget_opens(store: Store, budget: Budget, weight: int) -> int:
    rate = rate_of(budget.document.rate)
    opens = budget.starts.opens(store.us, store.meta.full_at, rate.limit, rate.period, weight) if rate else 0
    return max(opens, budget.sleep if budget.sleep > store.us else 0)


def take_shares(store: Store, request: str, taking: Sequence[Look]) -> list[str]:
    """One request takes a budget once, whatever rules name it. Rules in Shadow take none: it is shared."""
    shares: dict[str, int] = {}
    for look in taking:
        for name, weight in look.shares.items() if not look.is_shadow else ():
            shares[name] = max(weight, shares.get(name, 0))
    places = []
    for name, weight in shares.items():
        budget = store.budgets[name]
        for member in members(request, weight):
            budget.held.take(member, store.now + LEASE_MS)
            budget.http.take(member, store.now + LEASE_MS)
        if budget.document.rate:
            budget.starts.record(store.us, weight)
        places.append(f"b{request} {weight}:{name}")
    return places


def members(request: str, weight: int) -> list[str]:
    return [f"h:{request}"] if weight == 1 else [f"h:{request}#{k}" for k in range(1, weight + 1)]
