"""Publishing files without a cluster: who owns a document that came from a file, and which generation it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from headgate.desired.documents import document_of, task_document
from headgate.gates.door import Door
from headgate.gates.verbs import Owned, Owner, Published, Same
from headgate.model.budget import Budget
from headgate.model.documents import Document, DocumentKind, field_of, kind_and_name
from headgate.model.parse import Resource
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate_cli.local.files import uid_of

TRIES = 5
"""Somebody else may publish the same files at the same moment: each try counts on from what the store has then."""


def cluster_of(scope: str) -> str:
    """What `Owner.cluster` says for documents of files: two scopes never touch each other's."""
    return f"files/{scope}"


def next_generation(owners: Iterable[Owner], uid: str) -> int:
    """The generation of a file's content is the store's own count; what a store does not know begins at 1."""
    return 1 + max((owner.generation for owner in owners if owner.uid == uid), default=0)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one document. `by`: who declares it, when it is `owned` by somebody else."""

    kind: DocumentKind
    name: str
    outcome: Literal["published", "same", "owned", "contested", "removed"]
    revision: int | None = None
    by: Owner | None = None

    @property
    def good(self) -> bool:
        return self.outcome in ("published", "same", "removed")


def publish_all(door: Door, resources: Iterable[Resource], scope: str, *, adopt: bool) -> Iterator[Result]:
    """Budgets first: no policy is ever without a limit that it names. `adopt` takes over what others declare."""
    resources = list(resources)
    queues = queues_of(resources)
    for resource in sorted(resources, key=lambda resource: not isinstance(resource, Budget)):
        yield _publish(door, resource, _document(resource, queues), scope, adopt)


def remove_others(door: Door, resources: Iterable[Resource], scope: str) -> Iterator[Result]:
    """Unpublish what this scope once declared and no longer does."""
    wanted = {field_of(document_of(resource)) for resource in resources}
    for field, owner in sorted(door.inspect().owners.items()):
        known = kind_and_name(field)
        if known and owner.cluster == cluster_of(scope) and field not in wanted and door.unpublish(*known, owner):
            yield Result(*known, "removed")


def queues_of(resources: Iterable[Resource]) -> dict[str, str]:
    """By the name of a policy: its queue."""
    return {item.metadata.name: item.queue for item in resources if isinstance(item, QueuePolicy)}


def _document(resource: Resource, queues: Mapping[str, str]) -> Document:
    if isinstance(resource, PeriodicTask) and resource.spec.queue_policy_ref:
        return task_document(resource, queues.get(resource.spec.queue_policy_ref.name))
    return document_of(resource)


def _publish(door: Door, resource: Resource, document: Document, scope: str, adopt: bool) -> Result:
    uid = uid_of(scope, resource.kind, resource.metadata.name)
    kind, name = document.kind, document.name
    for _ in range(TRIES):
        owners = door.inspect().owners
        owner = Owner(
            f"{scope}/{resource.metadata.name}", uid, next_generation(owners.values(), uid), cluster_of(scope)
        )
        answer = door.publish(document, owner, replaces_uid=_replaced(owners, document, uid) if adopt else None)
        if isinstance(answer, Published):
            return Result(kind, name, "published", answer.revision)
        if isinstance(answer, Same):
            return Result(kind, name, "same", answer.revision)
        if isinstance(answer, Owned) and not adopt:
            return Result(kind, name, "owned", by=answer.by)
    return Result(kind, name, "contested")


def _replaced(owners: Mapping[str, Owner], document: Document, uid: str) -> str | None:
    owner = owners.get(field_of(document))
    return owner.uid if owner and owner.uid != uid else None
