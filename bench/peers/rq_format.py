"""Jobs as plain RQ enqueues them, and RQ's own books afterwards: for RQ's workers and for Headgate's alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rq import Queue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.processes.store import Store

QUEUE = "bench"
CHUNK = 1_000


def fill(
    store: Store, function: str, numbers: Sequence[int], *, queue: str = QUEUE, meta: Mapping[str, str] | None = None
) -> None:
    """Jobs `job-<number>` in this order by plain `Queue.enqueue_many`; each gets its number as argument."""
    kinds = {"timeout": 180, "meta": dict(meta or {})}
    with store.client() as client:
        rq_queue = Queue(queue, connection=client)
        for first in range(0, len(numbers), CHUNK):
            some = numbers[first : first + CHUNK]
            jobs = [Queue.prepare_data(function, args=(n,), job_id=f"job-{n}", **kinds) for n in some]
            with client.pipeline() as pipe:
                rq_queue.enqueue_many(jobs, pipeline=pipe)
                pipe.execute()


def unfinished(store: Store, total: int, queue_name: str = QUEUE) -> str:
    """Every id finished, with exactly one result, in the registry; nothing queued, nothing started."""
    with store.client() as client:
        left = {
            "queued": client.llen(f"rq:queue:{queue_name}"),
            "intermediate": client.llen(f"rq:queue:{queue_name}:intermediate"),
            "started": client.zcard(f"rq:wip:{queue_name}"),
            "failed": client.zcard(f"rq:failed:{queue_name}"),
            "not finished": total - client.zcard(f"rq:finished:{queue_name}"),
        }
        if any(left.values()):
            return ", ".join(f"{count} {name}" for name, count in left.items() if count)
        with client.pipeline(transaction=False) as pipe:
            for number in range(total):
                pipe.xlen(f"rq:results:job-{number}")
                pipe.hget(f"rq:job:job-{number}", "status")
            answers = pipe.execute()
    results, states = answers[::2], answers[1::2]
    wrong = sum(count != 1 for count in results), sum(state != b"finished" for state in states)
    return f"{wrong[0]} without exactly one result, {wrong[1]} not in state finished" if any(wrong) else ""
