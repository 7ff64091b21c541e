"""What this process remembers between two reconciles. Losing it costs one no-op write each, never a wrong one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.control.ownership import Claims
from headgate.control.ports import QUEUE_POLICY, Key, Kind
from headgate.gates.verbs import Owner
from headgate.model.documents import Document, field_of
from headgate.model.periodic_task import PeriodicTask
from headgate.status.throttled import Memory as Throttle

Object = tuple[Kind, str, str]
FIGHT_REPAIRS = 5
FIGHT_SECONDS = 600.0
"""So many repairs of one object in this time are a fight with another writer."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What our last apply sent (`hash`) and what the server made of it (`version`)."""

    hash: str
    version: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What the store took from us. `at`: monotonic seconds when it answered."""

    store: str
    document: Document
    owner: Owner
    revision: int
    at: float

    @property
    def field(self) -> str:
        """As `StoreState.owners` names it."""
        return field_of(self.document)

    @property
    def name(self) -> str:
        return self.document.name


@dataclass(slots=True)
class Memory:
    """`bounds`: for each budget by full name, its members and what each would run if that budget were not there."""

    claims: Claims = field(default_factory=Claims)
    applied: dict[Object, Applied] = field(default_factory=dict)
    declared: dict[Key, Declared] = field(default_factory=dict)
    bounds: defaultdict[str, dict[Key, int]] = field(default_factory=lambda: defaultdict(dict))
    budget_stores: dict[Key, str] = field(default_factory=dict)
    tasks: dict[Key, tuple[str, Key | None]] = field(default_factory=dict)
    """The store of each periodic task, and the policy that it names."""
    status_at: dict[Key, float] = field(default_factory=dict)
    throttles: dict[Key, Throttle] = field(default_factory=dict)
    repairs: defaultdict[Object, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=FIGHT_REPAIRS))
    )

    def set_bounds(self, key: Key, bounds: Mapping[str, int]) -> set[str]:
        """Note the budgets of a policy. Answers the budgets for which something changed."""
        changed = {name for name, bound in bounds.items() if self.bounds[name].get(key) != bound}
        changed |= {name for name, members in self.bounds.items() if key in members and name not in bounds}
        for name in changed:
            self.bounds[name].pop(key, None)
            if name in bounds:
                self.bounds[name][key] = bounds[name]
        return changed

    def note_task(self, key: Key, task: PeriodicTask) -> None:
        ref = task.spec.queue_policy_ref
        self.tasks[key] = task.spec.store, Key(QUEUE_POLICY, key.namespace, ref.name) if ref else None

    def tasks_of(self, policy: Key) -> list[Key]:
        """Those that name this policy."""
        return [key for key, (_, named) in self.tasks.items() if named == policy]

    def keys(self) -> set[Key]:
        """All policies and budgets that are known."""
        return self.claims.keys() | self.declared.keys() | self.budget_stores.keys() | self.tasks.keys()

    def keys_of(self, store: str) -> set[Key]:
        """Those that name this store, or are published in it."""
        named = {key for key in self.claims.keys() if (self.claims.declares(key) or ("",))[0] == store}  # noqa: SIM118
        budgets = {key for key, its in self.budget_stores.items() if its == store}
        tasks = {key for key, (its, _) in self.tasks.items() if its == store}
        return named | budgets | tasks | {key for key, declared in self.declared.items() if declared.store == store}

    def repaired(self, child: Object, now: float) -> None:
        self.repairs[child].append(now)

    def fighting(self, child: Object, now: float) -> bool:
        """Whether the last `FIGHT_REPAIRS` repairs lie within `FIGHT_SECONDS`."""
        times = list(self.repairs.get(child, ()))
        return len(times) == FIGHT_REPAIRS and now - times[0] < FIGHT_SECONDS

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self.declared.pop(key, None)
        self.budget_stores.pop(key, None)
        self.tasks.pop(key, None)
        self.status_at.pop(key, None)
        self.throttles.pop(key, None)

    def forget_child(self, child: Object) -> None:
        self.applied.pop(child, None)
        self.repairs.pop(child, None)
