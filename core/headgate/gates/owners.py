"""Who declares a document, and how the store answers a declaration."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.model.documents import QueueDocument


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
    """The store already holds a newer generation of the same object."""

    generation: int


@dataclass(frozen=True, slots=True)
class Owned:
    """Somebody else declares this queue or budget."""

    by: Owner


PublishAnswer = Published | Same | Stale | Owned


@dataclass(frozen=True, slots=True)
class Declared:
    """A queue's document as the store holds it, with who declared it: enough to publish it again after data loss."""

    revision: int
    document: QueueDocument
    owner: Owner
