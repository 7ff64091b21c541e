"""Documents into the store and out of it: once per change, and only where we may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from headgate.control.facts import PolicyFacts
from headgate.control.memory import Declared, Memory
from headgate.control.ownership import precedence
from headgate.control.pictures import Pictures, Record
from headgate.control.ports import DECLARED_BY, Clock, Cluster, Key, Store
from headgate.control.reading import Policy, claim_of, is_leaving, read_policy
from headgate.control.stores import Site
from headgate.errors import Conflict, StoreUnavailable, StoreUnsuitable
from headgate.gates.verbs import Owned, Owner, PublishAnswer, Published, Stale
from headgate.model.common import Metadata
from headgate.model.documents import Document, HttpDocument, QueueDocument, field_of


@dataclass(frozen=True, slots=True)
class Answer:
    """`held`: the store holds this document now, as `revision`. `news`: it did not before, as far as we know.

    `problem` says why not; `by` names another owner, whom we may not replace; `error` calls for another try.
    """

    revision: int = 0
    held: bool = False
    news: bool = False
    problem: str = ""
    by: Owner | None = None
    error: StoreUnavailable | StoreUnsuitable | None = None


class Publisher:
    """Remembers what it published, so that a document that the store holds already is not sent again."""

    def __init__(
        self,
        cluster: Cluster,
        stores: Mapping[str, Store],
        site: Site,
        memory: Memory,
        pictures: Pictures,
        clock: Clock,
    ) -> None:
        self._cluster, self._stores, self._site = cluster, stores, site
        self._memory, self._pictures, self._clock = memory, pictures, clock

    async def follow(self, facts: PolicyFacts[Policy], document: Document | None, *, withdraw: bool) -> Answer:
        """What was decided about a policy: publish, take back what it had published, or leave that as it is."""
        if document and facts.policy:
            return await self.publish(facts.key, facts.metadata, facts.policy.spec.store, document)
        if withdraw:
            try:
                await self.withdraw(facts.key)
            except (StoreUnavailable, StoreUnsuitable) as error:
                return Answer(problem=str(error), error=error)
        return Answer()

    async def publish(self, key: Key, metadata: Metadata, store: str, document: Document) -> Answer:
        """A store that is away or must not be used is not asked: the observer sees it come back and calls again."""
        known = self._memory.declared.get(key)
        if known and (known.store, known.document, known.owner.uid) == (store, document, metadata.uid):
            return Answer(known.revision, held=True)
        picture = self._pictures[store]
        if picture.unsuitable or picture.problem:
            return Answer(problem=picture.unsuitable or picture.problem)
        if known and (known.store, known.field) != (store, field_of(document)):
            await self.withdraw(key)  # the object was made anew, for another queue or surface
        owner = Owner(key.full_name, metadata.uid, metadata.generation, self._site.cluster_id)
        try:
            answer, owner = await self._ask(key, metadata, self._stores[store], document, owner)
        except (StoreUnavailable, StoreUnsuitable) as error:
            self._pictures.hurry(store)
            return Answer(problem=str(error), error=error)
        if isinstance(answer, Owned):
            return Answer(problem=_owned(answer.by), by=answer.by)
        if isinstance(answer, Stale):
            raise Conflict(f"{key}: the store counts generation {answer.generation}, another writer is at work")
        self._memory.declared[key] = Declared(store, document, owner, answer.revision, self._clock.monotonic())
        self._pictures.hurry(store)
        return Answer(answer.revision, held=True, news=known is None or isinstance(answer, Published))

    async def _ask(
        self, key: Key, metadata: Metadata, store: Store, document: Document, owner: Owner
    ) -> tuple[PublishAnswer, Owner]:
        """Publish; where the store names another owner or a later generation, look who is right and say it again."""
        answer = await store.publish(document, owner)
        if isinstance(answer, Owned) and await self._may_replace(key, metadata, document, answer.by):
            return await store.publish(document, owner, replaces_uid=answer.by.uid), owner
        if isinstance(answer, Stale):
            await self._read_again(key, answer)
            owner = replace(owner, generation=answer.generation + 1)
            return await store.publish(document, owner), owner
        return answer, owner

    async def _may_replace(self, key: Key, metadata: Metadata, document: Document, by: Owner) -> bool:
        """Our own object of an earlier life; or, of this cluster, one that is gone, or that goes after us by age."""
        if by.cluster != self._site.cluster_id:
            return False
        if by.name == key.full_name:
            return True
        if not self._site.cluster_id or not isinstance(document, QueueDocument | HttpDocument):
            return False
        namespace, _, name = by.name.partition("/")
        manifest = await self._cluster.get(DECLARED_BY[document.kind], namespace, name)
        if manifest is None or is_leaving(manifest):
            return True
        policy = read_policy(manifest)
        if policy is None:
            return False  # unreadable, so its last good limits stay in force
        if claim_of(policy)[1] != field_of(document):
            return True
        return precedence(metadata) < precedence(policy.metadata)

    async def _read_again(self, key: Key, stale: Stale) -> None:
        """Raise Conflict when the cluster knows the later generation too: then we read too early.

        It does not when it was restored from a backup, or when files are read anew: then the store's count goes on.
        """
        manifest = await self._cluster.get(key.kind, key.namespace, key.name)
        if manifest is None or manifest["metadata"].get("generation", 0) >= stale.generation:
            raise Conflict(f"{key} was changed while it was published: read it again")

    async def withdraw(self, key: Key) -> bool:
        """Take back what the object had published, in this process or an earlier one. True: something was there.

        Raises StoreUnavailable; the observer calls again when the store is back.
        """
        known, cluster = self._memory.declared.get(key), self._site.cluster_id
        pictured = self._pictures.owners() if cluster else []
        records = {r for r in pictured if r.declared_by == key and r.owner.cluster == cluster}
        if known:
            records = {
                r for r in records if (r.store, r.kind, r.name) != (known.store, known.document.kind, known.name)
            }
            records.add(Record(known.store, known.document.kind, known.name, known.owner))
        removed = False
        for record in records:
            removed |= await self.take_back(record)
        self._memory.declared.pop(key, None)
        return removed

    async def take_back(self, record: Record) -> bool:
        """Unpublish one document, unless another owner has it by now. Raises StoreUnavailable."""
        picture, store = self._pictures[record.store], self._stores.get(record.store)
        if picture.problem:
            raise StoreUnavailable(picture.problem)
        removed = await store.unpublish(record.kind, record.name, record.owner) if store else False
        self._pictures.hurry(record.store)
        return removed


def _owned(by: Owner) -> str:
    where = f" of cluster {by.cluster}" if by.cluster else ""
    return f"The store holds a document of {by.name}{where} for it; that one must be deleted or renamed first."
