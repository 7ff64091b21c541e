"""What each store looked like when it last answered: one look at a store feeds the status of all its policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from headgate.control.ports import DECLARED_BY, Key
from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import Owner, QueueState, StoreState
from headgate.model.documents import DocumentKind, kind_and_name

SILENCE_SECONDS = 15.0
"""A store that has not answered for so long is unreachable."""


@dataclass(frozen=True, slots=True)
class Picture:
    """`answered_at` in monotonic seconds. `problem`: why the last look failed. `unsuitable`: why nobody may use it."""

    state: StoreState | None = None
    surfaces: Mapping[str, SurfaceState] = field(default_factory=dict)
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    answered_at: float = float("-inf")
    problem: str = ""
    unsuitable: str = ""

    def reachable(self, now: float) -> bool:
        return now - self.answered_at < SILENCE_SECONDS

    def queue(self, name: str) -> QueueState | None:
        return self.state.queues.get(name) if self.state else None

    def owner(self, field: str) -> Owner | None:
        """Who declares `queue/<queue>`, `budget/<name>` or `http/<surface>`."""
        return self.state.owners.get(field) if self.state else None


@dataclass(frozen=True, slots=True)
class Record:
    """A document in a store: its kind and name, and who declares it."""

    store: str
    kind: DocumentKind
    name: str
    owner: Owner

    @property
    def field(self) -> str:
        """As `StoreState.owners` names it."""
        return f"{self.kind}/{self.name}"

    @property
    def declared_by(self) -> Key:
        return Key(DECLARED_BY[self.kind], *self.owner.name.split("/", 1))

    def __str__(self) -> str:
        return f"{self.kind} {self.name} in store {self.store}"


class Pictures:
    """The newest picture of each store."""

    def __init__(self, names: Iterable[str]) -> None:
        self._of = {name: Picture() for name in names}
        self._hurry: dict[str, Callable[[], None]] = {}

    def __getitem__(self, store: str) -> Picture:
        return self._of.get(store, Picture())

    def all(self) -> list[Picture]:
        return list(self._of.values())

    def answered(
        self,
        store: str,
        state: StoreState,
        surfaces: Mapping[str, SurfaceState],
        now: float,
        tasks: Mapping[str, TaskState],
    ) -> None:
        self._of[store] = replace(
            self._of[store], state=state, surfaces=surfaces, tasks=tasks, answered_at=now, problem=""
        )

    def failed(self, store: str, problem: str) -> None:
        self._of[store] = replace(self._of[store], problem=problem)

    def judged(self, store: str, unsuitable: str, now: float) -> None:
        """It answered, whatever it said."""
        self._of[store] = replace(self._of[store], unsuitable=unsuitable, answered_at=now, problem="")

    def on_hurry(self, store: str, look: Callable[[], None]) -> None:
        """`look` is called when somebody waits for a new picture."""
        self._hurry[store] = look

    def hurry(self, store: str) -> None:
        look = self._hurry.get(store)
        if look:
            look()

    def owners(self) -> list[Record]:
        """Every document of every store that objects of a cluster declare, as far as the pictures show."""
        return [
            Record(store, *known, owner)
            for store, picture in self._of.items()
            for field, owner in (picture.state.owners.items() if picture.state else ())
            if "/" in owner.name and (known := kind_and_name(field)) and known[0] in DECLARED_BY
        ]
