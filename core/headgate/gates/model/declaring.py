"""Documents and who declares them: revision, generation, hash, and one owner each."""

from __future__ import annotations

from headgate.gates.model import http_state, tasks
from headgate.gates.model.budgets import Budget
from headgate.gates.model.limits import limits_of
from headgate.gates.model.places import forget_if_drained
from headgate.gates.model.state import Declaration, Policy, Store
from headgate.gates.model.waiting import wake_all
from headgate.gates.overrides import Override, OverrideState
from headgate.gates.verbs import Declarations, Declared, Owned, Owner, PublishAnswer, Published, Same, Stale
from headgate.model.documents import (
    BudgetDocument,
    Document,
    DocumentKind,
    HttpDocument,
    OverrideDocument,
    QueueDocument,
    TaskDocument,
)  # fmt: skip

REMEMBERED_MS = 86_400_000
"""How long it is known that a document was unpublished. Any unpublish prolongs it for all, as one key holds them."""


def publish(
    store: Store, document: Document, owner: Owner, replaces_uid: str | None, copied: int | None = None
) -> PublishAnswer:
    """`copied`: the revision of a copy that is put back, see `restore`."""
    field = f"{document.kind}/{document.name}"
    earlier = store.owners.get(field)
    if copied is not None:
        if store.unpublished.get((field, owner.uid), 0) > store.now:
            return Stale(owner.generation)
        if earlier is not None and earlier.owner.uid == owner.uid and not earlier.restored:
            return Stale(earlier.owner.generation)
    if earlier is not None and earlier.owner.uid == owner.uid:
        if owner.generation < earlier.owner.generation:
            return Stale(earlier.owner.generation)
        if earlier.document == document and _is_there(store, document):
            if owner.generation > earlier.owner.generation or earlier.restored:
                earlier.owner, earlier.restored = owner, copied is not None
            return Same(earlier.revision)
    elif earlier is not None and replaces_uid != earlier.owner.uid:
        return Owned(earlier.owner)
    store.meta.revision = max(store.meta.revision, copied or 0) + 1
    store.unpublished.pop((field, owner.uid), None)
    store.owners[field] = Declaration(owner, document, store.meta.revision, copied is not None)
    if isinstance(document, QueueDocument):
        _publish_queue(store, document, store.meta.revision)
    elif isinstance(document, BudgetDocument):
        _publish_budget(store, document, store.meta.revision)
    elif isinstance(document, HttpDocument):
        http_state.publish(store.http, document, store.meta.revision)
    else:
        tasks.publish(store.tasks, document, store.meta.revision)
    return Published(store.meta.revision)


def restore(store: Store, copy: Declared[Document]) -> PublishAnswer:
    """A copy of what the store lost: older than anything declared since, so it replaces only older copies."""
    return publish(store, copy.document, copy.owner, None, copy.revision)


def read_declared(store: Store, queue: str) -> Declarations:
    policy, declared = store.policies.get(queue), store.owners.get(f"queue/{queue}")
    if policy is None or declared is None:
        return Declarations(store.meta.epoch)
    budgets = [
        Declared(store.budgets[share.name].revision, store.budgets[share.name].document, by.owner)
        for share in policy.document.budgets
        if share.name in store.budgets and (by := store.owners.get(f"budget/{share.name}"))
    ]
    return Declarations(store.meta.epoch, Declared(policy.revision, policy.document, declared.owner), tuple(budgets))


def _is_there(store: Store, document: Document) -> bool:
    if isinstance(document, HttpDocument):
        return document.name in store.http.surfaces
    if isinstance(document, TaskDocument):
        task = store.tasks.get(document.name)
        return task is not None and task.document is not None
    return document.name in (store.policies if isinstance(document, QueueDocument) else store.budgets)


def _publish_queue(store: Store, document: QueueDocument, revision: int) -> None:
    earlier, gates = store.policies.get(document.queue), store.gates(document.queue)
    store.policies[document.queue] = Policy(
        revision, document, earlier.sleep if earlier else 0, earlier.override if earlier else None
    )
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


def unpublish(store: Store, kind: DocumentKind, name: str, owner: Owner) -> bool:
    """What runs goes on; the last one to finish takes the queue's own data with it."""
    declared = store.owners.get(f"{kind}/{name}")
    if declared is not None and (declared.owner.uid, declared.owner.name) != (owner.uid, owner.name):
        return False
    until = store.now + REMEMBERED_MS
    known = [member for member, end in store.unpublished.items() if end > store.now]
    store.unpublished = dict.fromkeys([*known, (f"{kind}/{name}", owner.uid)], until)
    if declared is None:
        return False
    del store.owners[f"{kind}/{name}"]
    if kind == "budget":
        store.budgets.pop(name, None)
    elif kind == "http":
        store.http.surfaces.pop(name, None)
    elif kind == "task":
        tasks.unpublish(store.tasks, name, store.now)
    else:
        store.policies.pop(name, None)
        wake_all(store, name)
        store.draining.add(name)
        forget_if_drained(store, name)
    return True


def override(store: Store, override: Override) -> int | None:
    policy = store.policies.get(override.queue)
    if policy is None:
        return None
    document = OverrideDocument(
        stop_policy=override.stop_policy,
        total=override.total,
        rate_total=override.rate_total,
        reason=override.reason,
        expire_ms=store.now + override.ms,
    )
    policy.override = OverrideState(document, override.by, store.now)
    wake_all(store, override.queue)
    return document.expire_ms


def clear_override(store: Store, queue: str) -> bool:
    policy = store.policies.get(queue)
    if policy is None or policy.override is None:
        return False
    policy.override = None
    wake_all(store, queue)
    return True
