"""Requests in a few words, over any bench: identities ask, end and fail; API processes renew and die."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from headgate.gates.http import (
    Admit,
    AdmitAnswer,
    Allowed,
    Denied,
    HttpGates,
    RequestsBeat,
    RequestsRenewal,
    RuleCounts,
    Settle,
)  # fmt: skip
from headgate.gates.verbs import Owner, Published, Same
from headgate.model.documents import BudgetDocument, HttpDocument, HttpRule
from tests.gates.conformance.bench import Bench

SURFACE = "api"
MINUTE = 60_000
QUARTER = 900_000


def per(limit: int, period_ms: int = QUARTER) -> dict[str, int]:
    return {"limit": limit, "period_ms": period_ms}


def identity(who: str) -> str:
    """32 hexadecimal digits, as an HMAC would be; `-` stands for everybody."""
    return "-" if who == "-" else who.encode().hex().rjust(32, "0")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and what it was told."""

    admit: Admit
    answer: AdmitAnswer

    @property
    def allowed(self) -> Allowed:
        assert isinstance(self.answer, Allowed), self.answer
        return self.answer

    @property
    def denied(self) -> Denied:
        assert isinstance(self.answer, Denied), self.answer
        return self.answer

    def settle(self, *, failed: bool) -> Settle:
        answer = self.allowed
        return Settle(self.admit.surface, self.admit.request, answer.places, answer.stamp, failed)


class Crowd:
    """`revision` and `rules` are those of the last `policy`. Every API process (`api`) has a door of its own."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.revision = 0
        self.rules: list[str] = []
        self._count = 0

    def door(self, api: str) -> HttpGates:
        return cast(HttpGates, self.bench.gates(api))

    def _owner(self, name: str) -> Owner:
        self._count += 1
        return Owner(f"ns/{name}", f"uid-{name}", self._count)

    # ---- documents ----

    def policy(self, surface: str = SURFACE, **rules: dict[str, Any]) -> int:
        """Publish these rules by name, with the next generation."""
        document = HttpDocument(surface=surface, rules=tuple(HttpRule(name=name, **rules[name]) for name in rules))
        answer = self.bench.gates("operator").publish(document, self._owner(surface))
        assert isinstance(answer, Published | Same), answer
        self.revision, self.rules = answer.revision, list(rules)
        return answer.revision

    def withdraw(self, surface: str = SURFACE) -> None:
        assert self.bench.gates("operator").unpublish("http", surface, self._owner(surface))

    def withdraw_budget(self, name: str = "ns/db") -> None:
        assert self.bench.gates("operator").unpublish("budget", name, self._owner(name))

    def budget(self, name: str = "ns/db", **limits: Any) -> None:
        self.bench.gates("operator").publish(BudgetDocument(name=name, **limits), self._owner(name))

    # ---- requests ----

    def ask(self, who: str = "ann", rules: Iterable[str] | None = None, api: str = "api-1") -> Asked:
        """One request, under all rules or those named."""
        self._count += 1
        asked = [(i, identity(who)) for i, name in enumerate(self.rules) if rules is None or name in rules]
        admit = Admit(SURFACE, self.revision, api, f"{api}:{self._count}", tuple(asked))
        return Asked(admit, self.door(api).admit(admit))

    def admitted(self, n: int, who: str = "ann", **how: Any) -> list[Asked]:
        """So many requests at one moment, all of which must be allowed."""
        asked = [self.ask(who, **how) for _ in range(n)]
        assert all(isinstance(one.answer, Allowed) for one in asked), asked[-1].answer
        return asked

    def allowed_of(self, n: int, who: str = "ann", **how: Any) -> int:
        """How many of so many requests at one moment are allowed."""
        return sum(isinstance(self.ask(who, **how).answer, Allowed) for _ in range(n))

    def refused(self, who: str = "ann", **how: Any) -> Denied:
        """A request that must be refused; no counter may move."""
        before = self.bench.counters()
        denied = self.ask(who, **how).denied
        assert self.bench.counters() == before, "a refusal moved a counter"
        return denied

    def end(self, *asked: Asked, failed: bool = False) -> int:
        return self.door(asked[0].admit.instance).settle([one.settle(failed=failed) for one in asked])

    def beat(
        self,
        api: str = "api-1",
        *in_flight: Asked,
        surfaces: dict[str, int] | None = None,
        refused: dict[str, int] | None = None,
    ) -> RequestsRenewal:
        places = [place for one in in_flight for place in one.allowed.places]
        known = {SURFACE: self.revision} if surfaces is None else surfaces
        return self.door(api).renew_requests(RequestsBeat(api, api, known, places, self._of_surface(refused)))

    @staticmethod
    def _of_surface(refused: dict[str, int] | None) -> dict[tuple[str, str], int]:
        return {(SURFACE, rule): count for rule, count in (refused or {}).items()}

    # ---- eyes ----

    def counts(self, rule: str) -> RuleCounts:
        return self.door("operator").inspect_http()[SURFACE].rules[rule]
