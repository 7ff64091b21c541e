"""The rules of a document held by this process alone, while the store is away: exact, each process its part.

Memory is bounded without forgetting anybody who is counted: once `IDENTITIES` are, newcomers share one count per rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from headgate.gates.http import Allowed, Denied, HttpGate, RuleState
from headgate.model.documents import HttpDocument, RateDocument

IDENTITIES = 20_000
EXACT_LIMIT = 256
BUCKETS = 128
"""Above `EXACT_LIMIT` starts are counted in so many parts of the period, each kept until its end: never too many."""
PRUNE_MS = 1_000
_OTHERS = "others"

Key = tuple[int, str]


class _Log:
    """Starts of one identity in one window: (slot, count), oldest first."""

    __slots__ = ("slots", "total")

    def __init__(self) -> None:
        self.slots: deque[list[int]] = deque()
        self.total = 0


class _Window:
    """A rate, in slots of `granule` ms. `limit` is this process's part of it."""

    def __init__(self, rate: RateDocument, cost: int) -> None:
        self.whole, self.limit, self.cost, self.period = rate.limit, rate.limit, cost, rate.period_ms
        self.granule = 1 if rate.limit <= EXACT_LIMIT else max(1, rate.period_ms // BUCKETS)

    def clear(self, log: _Log, now: int) -> None:
        while log.slots and self.ends(log.slots[0][0]) <= now:
            log.total -= log.slots.popleft()[1]

    def ends(self, slot: int) -> int:
        return (slot + 1) * self.granule + self.period

    def wait(self, log: _Log, now: int) -> int:
        """Milliseconds until `cost` more fit; 0: now."""
        excess = log.total + self.cost - self.limit
        if excess <= 0:
            return 0
        for slot, count in log.slots:
            excess -= count
            if excess <= 0:
                return max(1, self.ends(slot) - now)
        return self.period

    def add(self, log: _Log, now: int) -> None:
        slot = now // self.granule
        if log.slots and log.slots[-1][0] >= slot:
            log.slots[-1][1] += self.cost
        else:
            log.slots.append([slot, self.cost])
        log.total += self.cost

    def refund(self, log: _Log, at: int) -> None:
        for entry in log.slots:
            if entry[0] >= at // self.granule and entry[1] >= self.cost:
                entry[1] -= self.cost
                log.total -= self.cost
                return


class LocalLimits:
    """Times in ms of any clock that does not go back. All is shared with as many `instances`, one request at least."""

    def __init__(self, document: HttpDocument, identities: int = IDENTITIES) -> None:
        self._rules = document.rules
        self._windows = [None if rule.rate is None else _Window(rule.rate, rule.cost) for rule in document.rules]
        self._identities = identities
        self._instances = 1
        self._logs: dict[Key, _Log] = {}
        self._in_flight: dict[Key, int] = {}
        self._pruned = 0

    def share(self, instances: int) -> None:
        """Of so many processes this is one; those that run already go on."""
        self._instances = instances
        for window in self._windows:
            if window is not None:
                window.limit = max(window.cost, window.whole // instances)

    def admit(self, rules: Sequence[Key], now: int) -> Allowed | Denied:
        """All or none. `places` name what `settle` gives back. A rule with budgets is refused: they are the store's."""
        keys = [self._key(key, now) for key in rules]
        shadowed: list[int] = []
        for key in keys:
            found = self._refusal(key, now)
            if found is None:
                continue
            if self._rules[key[0]].mode == "Shadow":
                shadowed.append(key[0])
            else:
                return Denied(key[0], found[0], found[1], self._states(keys, now))
        taken = [key for key in keys if key[0] not in shadowed]
        for key in taken:
            self._take(key, now)
        places = tuple(f"{index}/{identity}" for index, identity in taken if self._rules[index].in_flight is not None)
        return Allowed(self._states(keys, now), places, now, tuple(shadowed))

    def settle(self, rules: Sequence[Key], allowed: Allowed, *, failed: bool) -> None:
        for place in allowed.places:
            index, _, identity = place.partition("/")
            key = (int(index), identity)
            left = self._in_flight.get(key, 0) - 1
            if left > 0:
                self._in_flight[key] = left
            else:
                self._in_flight.pop(key, None)
        if failed:
            return
        for key in rules:
            window, log = self._windows[key[0]], self._logs.get(key) or self._logs.get((key[0], _OTHERS))
            if window and log and self._rules[key[0]].count == "Failures" and key[0] not in allowed.shadowed:
                window.refund(log, allowed.stamp)

    def _key(self, key: Key, now: int) -> Key:
        if key in self._logs or self._windows[key[0]] is None:
            return key
        if len(self._logs) >= self._identities:
            self._prune(now)
        return key if len(self._logs) < self._identities else (key[0], _OTHERS)

    def _prune(self, now: int) -> None:
        if now - self._pruned < PRUNE_MS:
            return
        self._pruned = now
        for key, log in list(self._logs.items()):
            self._window(key).clear(log, now)
            if not log.total:
                del self._logs[key]

    def _window(self, key: Key) -> _Window:
        window = self._windows[key[0]]
        assert window is not None  # noqa: S101 - only rules with a rate have logs
        return window

    def _refusal(self, key: Key, now: int) -> tuple[str, int] | None:
        rule, window = self._rules[key[0]], self._windows[key[0]]
        log = self._logs.get(key)
        if window is not None and log is not None:
            window.clear(log, now)
            if wait := window.wait(log, now):
                return HttpGate.RATE, wait
        if rule.in_flight is not None and self._in_flight.get(key, 0) >= max(1, rule.in_flight // self._instances):
            return HttpGate.IN_FLIGHT, 0
        if rule.budgets:
            return f"{HttpGate.BUDGET}/{rule.budgets[0].name}", 0
        return None

    def _take(self, key: Key, now: int) -> None:
        rule, window = self._rules[key[0]], self._windows[key[0]]
        if window is not None:
            window.add(self._logs.setdefault(key, _Log()), now)
        if rule.in_flight is not None:
            self._in_flight[key] = self._in_flight.get(key, 0) + 1

    def _states(self, keys: Sequence[Key], now: int) -> tuple[RuleState, ...]:
        return tuple(self._state(key, now) for key in keys)

    def _state(self, key: Key, now: int) -> RuleState:
        log = self._logs.get(key)
        window = self._windows[key[0]]
        if window is None:
            return RuleState(key[0], 0, 0, 0)
        if log is None or not log.slots:
            return RuleState(key[0], window.limit, window.limit, 0)
        reset = window.ends(log.slots[-1][0]) - now
        return RuleState(key[0], window.limit, max(0, window.limit - log.total), max(0, reset))
