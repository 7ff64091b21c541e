"""enqueue: a producer's door with an idempotency key and the policy's backlog."""

from __future__ import annotations

from headgate.gates.model.state import Store
from headgate.gates.verbs import Enqueue, EnqueueAnswer, Exists, Full, Queued

IDEMPOTENT_MS = 86_400_000


def enqueue(store: Store, enqueue: Enqueue) -> EnqueueAnswer:
    known = (enqueue.queue, enqueue.idempotency_key)
    earlier = store.idempotency.get(known) if enqueue.idempotency_key else None
    if earlier is not None and earlier[1] > store.now:
        return Exists(earlier[0])
    if enqueue.job_id in store.rq.jobs:
        return Exists(enqueue.job_id)
    policy, length = store.policies.get(enqueue.queue), len(store.rq.list_of(enqueue.queue))
    backlog = policy.document.backlog if policy else None
    if backlog and length >= backlog:
        return Full(length, backlog)
    length = store.rq.enqueue(enqueue.queue, enqueue.job_id, dict(enqueue.fields), at_front=enqueue.at_front)
    if enqueue.idempotency_key:
        store.idempotency[known] = (enqueue.job_id, store.now + IDEMPOTENT_MS)
    return Queued(enqueue.job_id, length)
