"""One look at the whole store: four calls, whatever is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.gates.door import Door
from headgate.gates.http import SurfaceState
from headgate.gates.jobs import Declared, read_jobs
from headgate.gates.runs import TaskState
from headgate.gates.states import StoreState
from headgate.model.documents import BudgetDocument, Document, QueueDocument

_NAMED = ("queue/", "budget/")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen. `declared` and `documents` by `queue/<queue>` and `budget/<namespace>/<name>`."""

    state: StoreState
    declared: Mapping[str, Declared] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    surfaces: Mapping[str, SurfaceState] = field(default_factory=dict)
    tasks: Mapping[str, TaskState] = field(default_factory=dict)

    def queue(self, name: str) -> QueueDocument | None:
        found = self.documents.get(f"queue/{name}")
        return found if isinstance(found, QueueDocument) else None

    def budgets(self) -> dict[str, BudgetDocument]:
        return {found.name: found for found in self.documents.values() if isinstance(found, BudgetDocument)}


class Reader:
    """Remembers documents by revision, so that each is read once."""

    def __init__(self) -> None:
        self._epoch = ""
        self._known: dict[str, tuple[int, Document]] = {}

    def read(self, door: Door) -> Reading:
        """Blocks. Raises `StoreUnavailable`."""
        state = door.inspect()
        if state.epoch != self._epoch:
            self._epoch, self._known = state.epoch, {}
        fields = [name for name in state.owners if name.startswith(_NAMED)]
        known = {name: self._known[name][0] if name in self._known else 0 for name in fields}
        declared = read_jobs(door, known)
        for name, found in declared.items():
            if found.document is not None:
                self._known[name] = (found.revision, found.document)
        self._known = {name: kept for name, kept in self._known.items() if name in declared}
        documents = {name: document for name, (_, document) in self._known.items()}
        return Reading(state, declared, documents, door.inspect_http(), door.inspect_tasks())
