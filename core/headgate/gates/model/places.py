"""What an execution holds beside its queue's place, as a grant names it: `b<weight>:<budget>` and `k<key>`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from headgate.gates.model.budgets import places_of
from headgate.gates.model.lanes import lane_of
from headgate.gates.model.leases import Leases
from headgate.gates.model.limits import Limits
from headgate.gates.model.state import QueueGates, Store
from headgate.gates.model.waiting import wake_one


@dataclass(frozen=True, slots=True)
class Place:
    """Of a budget (`weight` places) or of a key."""

    budget: str = ""
    weight: int = 0
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        if text.startswith("k"):
            return cls(key=text[1:])
        weight, _, budget = text[1:].partition(":")
        return cls(budget, int(weight))

    @property
    def is_key(self) -> bool:
        return not self.budget


def hold(store: Store, queue: str, holder: str, execution: str, places: Iterable[str], end: int) -> None:
    """Keep the places until `end` (ms). A budget that is gone stays gone."""
    gates = store.gates(queue)
    for place in map(Place.parse, places):
        if place.is_key:
            gates.key_held.setdefault(place.key, Leases()).extend(holder, end)
            gates.keys[holder] = place.key
        elif place.budget in store.budgets:
            for member in places_of(execution, place.weight):
                store.budgets[place.budget].held.extend(member, end)


@dataclass(slots=True)
class Freed:
    """Budgets that may have waiters now, and whether a full key has room again."""

    budgets: list[str] = field(default_factory=list)
    key: bool = False

    def give_back(self, store: Store, gates: QueueGates, holder: str, execution: str, places: Iterable[str]) -> None:
        for place in map(Place.parse, places):
            if place.is_key:
                gates.keys.pop(holder, None)
                gates.key_held.setdefault(place.key, Leases()).drop(holder)
                self.key = gates.lanes.free(lane_of(place.key)) or self.key
                continue
            if place.budget in store.budgets:
                for member in places_of(execution, place.weight):
                    store.budgets[place.budget].held.drop(member)
            self.budgets.append(place.budget)

    def hand_over(self, store: Store) -> None:
        """Pass the budgets' places on to those who wait."""
        for name in self.budgets:
            budget = store.budgets.get(name)
            if budget is not None and store.now < budget.waiting:
                budget.hand_over(store.now, store.is_alive, store.wake)


def pass_on(store: Store, queue: str, freed: Freed, rules: Limits | None) -> None:
    """The slot is idle and its places are free."""
    freed.hand_over(store)
    wake_one(store, queue)
    if rules is None:
        forget_if_drained(store, queue)


def forget_if_drained(store: Store, queue: str) -> None:
    """The policy is gone and nothing of its queue runs: nothing of ours stays. Job ids stay in RQ's list."""
    gates = store.gates(queue)
    if not gates.held.ends:
        # Starts of keys are still remembered for their period: publishing again must not allow them twice.
        store.queues[queue] = QueueGates(key_rings=gates.key_rings, key_buckets=gates.key_buckets)
        store.draining.discard(queue)


def has_room(store: Store, queue: str, rules: Limits | None, places: Iterable[str]) -> bool:
    """A lease that lapsed but was not reaped may go on if nobody took its places."""
    gates, now = store.gates(queue), store.now
    if rules is not None and rules.total and gates.held.live(now) >= rules.total:
        return False
    for place in map(Place.parse, places):
        if place.is_key:
            per_key = rules.per_key if rules is not None else None
            if per_key and gates.key_held.setdefault(place.key, Leases()).live(now) >= per_key:
                return False
        elif place.budget in store.budgets and store.budgets[place.budget].free(now) < place.weight:
            return False
    return True
