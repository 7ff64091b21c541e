"""The rules that apply to a request together, prepared once: whom each counts, what is said and what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.gates.http import Denied, RuleState
from headgate.model.documents import HttpDocument, HttpRule
from headgate_api.gate.denials import Asked
from headgate_api.gate.headers import Header, LimitHeaders, seconds
from headgate_api.gate.identity import GLOBAL, Identities
from headgate_api.gate.metrics import COUNTS, Count, Result, Source

NEAR = 5
"""Near its limit: less than a fifth remains."""

Facts = Mapping[bytes, bytes]
"""The request's headers that matter here: name -> all its values, joined by commas."""


class RuleSet:
    """For one document and one combination of its rules."""

    def __init__(self, document: HttpDocument, indexes: tuple[int, ...]) -> None:
        self.surface = document.surface
        self.indexes = indexes
        self.rules: dict[int, HttpRule] = {index: document.rules[index] for index in indexes}
        self.headers = LimitHeaders(tuple(self.rules.items()))
        self.by_address = all(rule.key == "ClientIP" for rule in self.rules.values())
        self.by_user = any(rule.key == "User" for rule in self.rules.values())
        self.refundable = any(rule.count == "Failures" for rule in self.rules.values())
        self.settles = self.refundable or any(rule.in_flight or rule.budgets for rule in self.rules.values())
        self._rated = frozenset(self.headers.indexes)
        self._allowed: dict[str, tuple[Count, ...]] = {}
        self._near = {index: COUNTS.near_limit(self.surface, rule.name) for index, rule in self.rules.items()}

    def asked(self, identities: Identities, address: str, user: str | None, facts: Facts) -> Asked:
        """Each rule with the identity it counts; a rule by user or header falls back to the address."""
        client = identities.of("ip", address)
        if self.by_address:
            return tuple([(index, client) for index in self.indexes])
        return tuple((index, self._of(rule, identities, user, facts) or client) for index, rule in self.rules.items())

    @staticmethod
    def _of(rule: HttpRule, identities: Identities, user: str | None, facts: Facts) -> str | None:
        if rule.key == "Global":
            return GLOBAL
        if rule.key == "User" and user:
            return identities.of("user", user)
        if rule.key == "Header" and rule.header is not None:
            name = rule.header.lower()
            value = facts.get(name.encode("ascii", "replace"), b"").strip()
            return identities.of(f"header:{name}", value.decode("latin-1")) if value else None
        return None

    # ---- what the answer says ----

    def allowed_headers(self, states: tuple[RuleState, ...]) -> tuple[Header, ...]:
        numbers: list[int] = []
        for state in states:
            if state.index in self._rated:
                numbers += (state.remaining, -(-state.reset_ms // 1000))
                if state.remaining * NEAR < state.limit:
                    self._near[state.index].value += 1
        return self.headers.of(tuple(numbers))

    def denied_headers(self, answer: Denied, elapsed_ms: int, retry_ms: int) -> tuple[Header, ...]:
        """As it stood, `elapsed_ms` later; the rule that refused opens after `retry_ms`."""
        numbers: list[int] = []
        for state in answer.states:
            if state.index in self._rated:
                ms = retry_ms if state.index == answer.index and retry_ms else state.reset_ms - elapsed_ms
                numbers += (state.remaining, seconds(ms))
        return self.headers.of(tuple(numbers)) if len(numbers) == 2 * len(self._rated) else ()

    # ---- what is counted ----

    def count_allowed(self, source: Source) -> None:
        counts = self._allowed.get(source)
        if counts is None:
            counts = self._allowed[source] = tuple(self._count(index, Result.ALLOWED, source) for index in self.indexes)
        for count in counts:
            count.value += 1

    def count(self, index: int, result: Result, source: Source) -> None:
        self._count(index, result, source).value += 1

    def _count(self, index: int, result: Result, source: Source) -> Count:
        return COUNTS.decision(self.surface, self.rules[index].name, result, source)


def user_of(scope: Mapping[str, Any]) -> str | None:
    """What an authenticating middleware left: `request.state.user`, text or a number."""
    user = scope.get("state", {}).get("user")
    return str(user) if isinstance(user, str | int) and not isinstance(user, bool) else None
