"""The rules that apply to a request together, prepared once: whom each counts, what is said and what is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headgate.gates.http import Denied, RuleState
from headgate.gates.http_door import Question
from headgate.model.documents import HttpDocument, HttpRule
from headgate_api.gate.address import Addresses
from headgate_api.gate.headers import Header, LimitHeaders, seconds
from headgate_api.gate.identity import GLOBAL, Identities
from headgate_api.gate.metrics import COUNTS, Count, Result, Source
from headgate_api.gate.sampling import watched

NEAR = 5
"""Near its limit: less than a fifth remains."""
CACHED = 8_192
_LONG = 1_024

Facts = Mapping[bytes, bytes]
"""The request's headers that matter here: name -> all its values, joined by commas."""


Who = tuple[Any, ...]
"""Peer or None, X-Forwarded-For, whether the server has read it already, user or None, the values of `header_names`."""


class RuleSet:
    """For one document and one combination of its rules."""

    def __init__(self, document: HttpDocument, revision: int, indexes: tuple[int, ...]) -> None:
        self.surface, self.revision = document.surface, revision
        self.indexes = indexes
        self.rules: dict[int, HttpRule] = {index: document.rules[index] for index in indexes}
        rules = self.rules.values()
        self.limits = LimitHeaders(tuple(self.rules.items()))
        self.by_user = any(rule.key == "User" for rule in rules)
        self.header_names = tuple(_name(rule) for rule in rules if rule.key == "Header")
        self.refundable = any(rule.count == "Failures" for rule in rules)
        self.watched = watched(self.surface, list(rules))
        self.settles = self.refundable or any(rule.in_flight or rule.budgets for rule in rules)
        self._rated = tuple(self._near(position, index) for position, index in enumerate(indexes) if self._says(index))
        self._allowed: dict[str, tuple[Count, ...]] = {}
        self.questions: dict[Who, Question] = {}

    def _says(self, index: int) -> bool:
        return index in self.limits.indexes

    def _near(self, position: int, index: int) -> tuple[int, float, Count]:
        """Where in the states a rule's remaining stands, below what it is near its limit, and who counts that."""
        rule = self.rules[index]
        floor = rule.rate.limit / NEAR if rule.rate is not None else 0.0
        return 4 * position + 2, floor, COUNTS.near_limit(self.surface, rule.name)

    def question(self, who: Who, addresses: Addresses, identities: Identities) -> Question:
        """Each rule with the identity it counts; a rule by user or header falls back to the address."""
        found = self.questions.get(who)
        if found is None:
            peer, forwarded, rewritten, user, *headers = who
            values = dict(zip(self.header_names, headers, strict=True))
            client = identities.of("ip", addresses.client(peer, forwarded, rewritten=rewritten))
            asked = tuple((index, _of(rule, identities, user, values) or client) for index, rule in self.rules.items())
            found = Question(self.surface, self.revision, asked)
            if sum(len(value) for value in (forwarded, user or "", *headers)) <= _LONG:
                if len(self.questions) >= CACHED:
                    self.questions.clear()
                self.questions[who] = found
        return found

    # ---- what the answer says ----

    def passed(self, states: Sequence[int], source: Source) -> tuple[Header, ...]:
        """Counts an admission; its headers. `states` flat, as the store answers: index, limit, remaining, reset (ms)
        of each rule in their order."""
        for count in self._allowed.get(source) or self._counts(source):
            count.value += 1
        if not self._rated:
            return ()
        numbers: list[int] = []
        for at, floor, near in self._rated:
            remaining = states[at]
            numbers += (remaining, (states[at + 1] + 999) // 1000)
            if remaining < floor:
                near.value += 1
        return (b"ratelimit", self.limits.template % tuple(numbers)), self.limits.policy

    def denied_headers(self, answer: Denied, elapsed_ms: int, retry_ms: int) -> tuple[Header, ...]:
        """As it stood, `elapsed_ms` later; the rule that refused opens after `retry_ms`."""
        numbers: list[int] = []
        for state in answer.states:
            if state.index in self.limits.indexes:
                ms = retry_ms if state.index == answer.index and retry_ms else state.reset_ms - elapsed_ms
                numbers += (state.remaining, seconds(ms))
        return self.limits.of(tuple(numbers)) if len(numbers) == 2 * len(self.limits.indexes) else ()

    # ---- what is counted ----

    def count_allowed(self, source: Source) -> None:
        for count in self._counts(source):
            count.value += 1

    def _counts(self, source: Source) -> tuple[Count, ...]:
        if source not in self._allowed:
            self._allowed[source] = tuple(self._count(index, Result.ALLOWED, source) for index in self.indexes)
        return self._allowed[source]

    def count(self, index: int, result: Result, source: Source) -> None:
        self._count(index, result, source).value += 1

    def _count(self, index: int, result: Result, source: Source) -> Count:
        return COUNTS.decision(self.surface, self.rules[index].name, result, source)


def flat(states: Sequence[RuleState]) -> list[int]:
    return [number for one in states for number in (one.index, one.limit, one.remaining, one.reset_ms)]


def _name(rule: HttpRule) -> bytes:
    return (rule.header or "").lower().encode("ascii", "replace")


def _of(rule: HttpRule, identities: Identities, user: str | None, values: Mapping[bytes, bytes]) -> str | None:
    if rule.key == "Global":
        return GLOBAL
    if rule.key == "User" and user:
        return identities.of("user", user)
    if rule.key == "Header":
        name = _name(rule)
        value = values[name].strip()
        return identities.of(f"header:{name.decode()}", value.decode("latin-1")) if value else None
    return None


def user_of(scope: Mapping[str, Any]) -> str | None:
    """What an authenticating middleware left: `request.state.user`, text or a number."""
    user = scope.get("state", {}).get("user")
    return str(user) if isinstance(user, str | int) and not isinstance(user, bool) else None
