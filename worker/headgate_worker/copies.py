"""This worker's copy of what its queue lives by, to be published again when the store loses it."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.gates.door import Door
from headgate.gates.verbs import Declarations, Declared, Published
from headgate.model.documents import Document
from headgate_worker import logs


@dataclass(slots=True)
class Copies:
    """`kept`: as last read. Only another epoch is a loss; a document that is gone in the same one was unpublished."""

    kept: Declarations = field(default_factory=lambda: Declarations(""))

    def put_back(self, found: Declarations, door: Door) -> bool:
        """Publish again, as whoever declared it, what the store of `found` lost. Whether anything was.

        The store refuses what was declared or removed since, and of several workers' copies the newest wins. All may be
        tried again when one raises StoreUnavailable.
        """
        if found.epoch == self.kept.epoch:
            return False
        copies: list[Declared[Document]] = [*self.kept.budgets]  # first: a queue without its budget starts nothing
        if self.kept.queue is not None:
            copies.append(self.kept.queue)
        published = [copy for copy in copies if isinstance(door.restore(copy), Published)]
        for copy in published:
            document = copy.document
            logs.get().warning(
                "policy published again after the store lost it",
                kind=document.kind, name=document.name, owner=copy.owner.name, generation=copy.owner.generation,
            )  # fmt: skip
        return bool(published)
