"""`explain` for a terminal."""

from __future__ import annotations

from headgate.explain import Explanation, usage, verdict
from headgate.gates.verbs import QueueState
from headgate_cli.text import counted, duration, table

MOST_HOLDERS = 20
"""How many holders of a gate are listed in text; JSON has them all."""


def as_text(found: Explanation) -> str:
    queue = found.queue
    counts = f"{queue.queue}: {queue.running} running, {queue.queued} queued, {queue.due} due later"
    lines = [counts, verdict(found.queue, found.gates, found.now), *_warnings(queue), *_overridden(queue, found.now)]
    return "\n\n".join(part for part in ("\n".join(lines), _holders(found), _gates(found), _workers(found)) if part)


def _warnings(queue: QueueState) -> list[str]:
    found = []
    if queue.foreign_workers:
        found.append(f"NOT ENFORCED: {', '.join(queue.foreign_workers)} takes jobs past every gate, stop it")
    if not queue.instances:
        found.append("no worker serves it")
    if queue.keyless:
        found.append(f"{counted(queue.keyless, 'job')} had no key, so perKey limits did not apply to them")
    if queue.poison:
        found.append(f"{counted(queue.poison, 'job')} went to the dead set after too many lost workers")
    return found


def _overridden(queue: QueueState, now: int) -> list[str]:
    found = queue.override
    if found is None:
        return []
    left = duration(found.document.expire_ms - now)
    return [f"overridden for another {left} by {found.by or 'somebody'}: {found.document.reason}"]


def _holders(found: Explanation) -> str:
    rows = [
        (holder.job_id, holder.queue, f"in {duration(holder.lease_ends - found.now)}")
        for holder in found.holders[:MOST_HOLDERS]
    ]
    more = len(found.holders) - len(rows)
    return table(("HELD BY JOB", "QUEUE", "LEASE ENDS"), rows) + (f"\nand {more} more" if more else "")


def _gates(found: Explanation) -> str:
    rows = [
        (
            gate.name,
            usage(gate),
            f"in {duration(gate.open_at - found.now)}" if gate.open_at and gate.open_at > found.now else "-",
            str(gate.waiting),
        )
        for gate in found.gates
    ]
    return table(("GATE", "USED", "OPENS", "WAITING"), rows)


def _workers(found: Explanation) -> str:
    rows = [
        (
            worker.pod,
            f"{worker.busy} of {worker.slots} busy",
            f"{worker.revision} of {found.queue.revision}",
            f"{duration(found.now - worker.renewed_at)} ago",
        )
        for worker in found.queue.instances
    ]
    return table(("WORKER", "SLOTS", "REVISION", "RENEWED"), rows)
