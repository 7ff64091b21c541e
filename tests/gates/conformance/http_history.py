"""What was admitted, kept apart from any gates: judges that no window holds more than its rule says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headgate.gates.http import Allowed
from tests.gates.conformance.crowd import Asked


@dataclass(slots=True)
class Account:
    """One identity under one rule, since the rule's rate was last edited: request -> (stamp, cost)."""

    starts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def fullest(self, stamp: int, period_us: int) -> int:
        """What the window that ends at `stamp` holds."""
        return sum(cost for at, cost in self.starts.values() if stamp - period_us < at <= stamp)


@dataclass(slots=True)
class HttpHistory:
    rules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)

    def publish(self, rules: Mapping[str, Mapping[str, Any]]) -> None:
        """The promise is for windows that begin after the edit of a rate."""
        counted = ("rate", "cost", "count")
        for name, rule in rules.items():
            earlier = self.rules.get(name, {})
            if any(rule.get(part) != earlier.get(part) for part in counted):
                self.accounts = {key: account for key, account in self.accounts.items() if key[0] != name}
        self.rules = dict(rules)

    def forget(self) -> None:
        """The store lost its data, or its clock."""
        self.accounts.clear()

    def asked(self, asked: Asked) -> None:
        if not isinstance(asked.answer, Allowed):
            return
        names = list(self.rules)
        for index, identity in asked.admit.rules:
            rule = self.rules[names[index]]
            if index in asked.answer.shadowed or not rule.get("rate"):
                continue
            account = self.accounts.setdefault((names[index], identity), Account())
            account.starts[asked.admit.request] = (asked.answer.stamp, rule.get("cost", 1))
            held = account.fullest(asked.answer.stamp, rule["rate"]["period_ms"] * 1000)
            assert held <= rule["rate"]["limit"], f"{held} in a window of {names[index]}: {rule}"

    def ended(self, asked: Asked, *, failed: bool) -> None:
        """A Failures rule forgets what did not fail. Only the first report counts."""
        for (name, _), account in self.accounts.items():
            if self.rules[name].get("count") == "Failures" and not failed:
                account.starts.pop(asked.admit.request, None)
