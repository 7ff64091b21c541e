"""The policy this worker has in use: read from the store, acknowledged with every renewal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.errors import NewerDocument, StoreFull
from headgate.gates.verbs import Declared
from headgate.model.documents import QueueDocument
from headgate_worker import logs
from headgate_worker.copies import Copies
from headgate_worker.store_link import StoreLink


@dataclass(slots=True)
class Policy:
    """`changed` is called with each new document. A policy that is deleted leaves the slots: they start nothing."""

    queue: str
    link: StoreLink
    changed: Callable[[QueueDocument], None]
    revision: int = 0
    document: QueueDocument | None = None
    _copies: Copies = field(default_factory=Copies)
    _said: bool = False

    def read(self) -> None:
        """Called when it changed, and with each renewal: a budget changes without it. Raises StoreUnavailable."""
        try:
            found = self._read()
        except NewerDocument as error:
            # What is in use stays so, and is not acknowledged: the policy's condition Enforced shows it.
            if not self._said:
                self._said = True
                logs.get().error("the policy in use stays as it is", queue=self.queue, why=str(error))
            return
        if found is None:
            self.revision = 0
            if not self._said:
                self._said = True
                logs.get().warning(
                    "no policy is published for this queue: nothing starts until there is one", queue=self.queue
                )
            return
        self._said = False
        if (found.revision, found.document) == (self.revision, self.document):
            return
        self.revision, self.document = found.revision, found.document
        self.changed(self.document)
        log = logs.get(queue=self.queue, revision=self.revision, slots=self.document.per_worker)
        log.info("policy in use", stop=self.document.stop_policy, mode=self.document.mode, total=self.document.total)

    def _read(self) -> Declared[QueueDocument] | None:
        """As the store has it; what it lost is published again (in a full store: once there is room)."""
        door = self.link.door
        found = door.read_declared(self.queue)
        try:
            if self._copies.put_back(found, door):
                found = door.read_declared(self.queue)
        except StoreFull:
            return found.queue
        self._copies.kept = found
        return found.queue

    @property
    def stop_when_cut_off(self) -> bool:
        return self.document is not None and self.document.jobs.on_lease_lost == "Stop"
