"""The policy this worker has in use: read from the store, acknowledged with every renewal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.model.documents import QueueDocument
from headgate_worker import logs
from headgate_worker.store_link import StoreLink


@dataclass(slots=True)
class Policy:
    """`changed` is called with each new document. A policy that is deleted leaves the slots: they start nothing."""

    queue: str
    link: StoreLink
    changed: Callable[[QueueDocument], None]
    revision: int = 0
    document: QueueDocument | None = None
    _said: bool = False

    def read(self) -> None:
        """Raises StoreUnavailable."""
        found = self.link.door.read_document(self.queue)
        if found is None:
            self.revision = 0
            if not self._said:
                self._said = True
                logs.get().warning(
                    "no policy is published for this queue: nothing starts until there is one", queue=self.queue
                )
            return
        self._said = False
        if found[0] == self.revision:
            return
        self.revision, self.document = found
        self.changed(self.document)
        log = logs.get(queue=self.queue, revision=self.revision, slots=self.document.per_worker)
        log.info("policy in use", stop=self.document.stop_policy, mode=self.document.mode, total=self.document.total)

    @property
    def stop_when_cut_off(self) -> bool:
        return self.document is not None and self.document.jobs.on_lease_lost == "Stop"
