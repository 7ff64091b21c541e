"""Documents and who declares them: revision, generation, hash, and one owner each."""

from __future__ import annotations

from typing import Literal

from headgate.gates.model.budgets import Budget
from headgate.gates.model.limits import limits_of
from headgate.gates.model.places import forget_if_drained
from headgate.gates.model.state import Declaration, Policy, Store
from headgate.gates.model.waiting import wake_all
from headgate.gates.verbs import Owned, Owner, PublishAnswer, Published, Same, Stale
from headgate.model.documents import BudgetDocument, Document, QueueDocument


def publish(store: Store, document: Document, owner: Owner, replaces_uid: str | None) -> PublishAnswer:
    field = f"{document.kind}/{name_of(document)}"
    earlier = store.owners.get(field)
    if earlier is not None and earlier.owner.uid == owner.uid:
        if owner.generation < earlier.owner.generation:
            return Stale(earlier.owner.generation)
        if earlier.document == document and _is_there(store, document):
            if owner.generation > earlier.owner.generation:
                earlier.owner = owner
            return Same(earlier.revision)
    elif earlier is not None and replaces_uid != earlier.owner.uid:
        return Owned(earlier.owner)
    store.meta.revision += 1
    store.owners[field] = Declaration(owner, document, store.meta.revision)
    if isinstance(document, QueueDocument):
        _publish_queue(store, document, store.meta.revision)
    else:
        _publish_budget(store, document, store.meta.revision)
    return Published(store.meta.revision)


def name_of(document: Document) -> str:
    return document.queue if isinstance(document, QueueDocument) else document.name


def _is_there(store: Store, document: Document) -> bool:
    return name_of(document) in (store.policies if isinstance(document, QueueDocument) else store.budgets)


def _publish_queue(store: Store, document: QueueDocument, revision: int) -> None:
    earlier, gates = store.policies.get(document.queue), store.gates(document.queue)
    store.policies[document.queue] = Policy(revision, document, earlier.sleep if earlier else 0)
    if limits_of(document, store.now).keyed:
        gates.lanes.look_again()
    else:
        gates.lanes.forget()
    store.draining.discard(document.queue)
    wake_all(store, document.queue)


def _publish_budget(store: Store, document: BudgetDocument, revision: int) -> None:
    """Those who wait are given what the new limit frees."""
    budget = store.budgets.setdefault(document.name, Budget(document, revision))
    budget.document, budget.revision = document, revision
    for _ in range(32):
        if store.now >= budget.waiting or budget.hand_over(store.now, store.is_alive, store.wake):
            break
    for waiter in sorted(budget.rate_wait, key=lambda who: (budget.rate_wait[who], str(who))):
        store.wake(waiter.instance, waiter.queue)
    budget.rate_wait.clear()


def unpublish(store: Store, kind: Literal["queue", "budget"], name: str, owner: Owner) -> bool:
    """What runs goes on; the last one to finish takes the queue's own data with it."""
    declared = store.owners.get(f"{kind}/{name}")
    if declared is None or (declared.owner.uid, declared.owner.name) != (owner.uid, owner.name):
        return False
    del store.owners[f"{kind}/{name}"]
    if kind == "budget":
        store.budgets.pop(name, None)
    else:
        store.policies.pop(name, None)
        wake_all(store, name)
        store.draining.add(name)
        forget_if_drained(store, name)
    return True
