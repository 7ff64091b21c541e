"""Who declares a document, and how the store answers a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from headgate.model.documents import BudgetDocument, Document, QueueDocument

DocumentT = TypeVar("DocumentT", bound=Document, covariant=True)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who declares a document. `name`: `<namespace>/<name>`, or `<scope>/<name>` for files."""

    name: str
    uid: str
    generation: int
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    revision: int


@dataclass(frozen=True, slots=True)
class Same:
    revision: int


@dataclass(frozen=True, slots=True)
class Stale:
    """The store already holds a newer generation of the same object; a copy: or it was declared or removed since."""

    generation: int


@dataclass(frozen=True, slots=True)
class Owned:
    """Somebody else declares this queue or budget."""

    by: Owner


PublishAnswer = Published | Same | Stale | Owned


@dataclass(frozen=True, slots=True)
class Declared(Generic[DocumentT]):
    """A document as the store holds it, with who declared it: enough to publish it again after data loss."""

    revision: int
    document: DocumentT
    owner: Owner


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a queue lives by, read at one moment. `epoch`: another one than before means that the store lost its data.

    `budgets`: those that the queue's document names and that are published.
    """

    epoch: str
    queue: Declared[QueueDocument] | None = None
    budgets: tuple[Declared[BudgetDocument], ...] = ()
