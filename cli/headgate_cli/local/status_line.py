"""One line now and then: how many jobs run, of how many that may, what holds the others back, who was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headgate.gates.http import SurfaceState
from headgate.gates.verbs import QueueState, StoreState
from headgate_cli.text import duration


def status_line(state: StoreState, bounds: Mapping[str, int], total: int, surfaces: Iterable[SurfaceState] = ()) -> str:
    """`24 of 31 running | campaigns 5/5 +120 held by budget/local/mail | emails 1/3 | api refused 17 by general`.

    Idle queues, and surfaces that refused nobody, are left out.
    `bounds`: the most jobs at once of each of our queues; `total`: of all of them together.
    """
    ours = [queue for name, queue in sorted(state.queues.items()) if name in bounds]
    running = sum(queue.running for queue in ours)
    parts = [f"{running} of {total} running"]
    if state.quarantine_until > state.now:
        parts.append(f"QUARANTINE for {duration(state.quarantine_until - state.now)}")
    parts += [_queue(queue, bounds[queue.queue], state.now) for queue in ours if queue.running or queue.queued]
    parts += [words for surface in surfaces if (words := _refused(surface))]
    return " | ".join(parts)


def _refused(surface: SurfaceState) -> str:
    refused = [f"{counts.denied} by {name}" for name, counts in surface.rules.items() if counts.denied]
    return f"{surface.surface} refused {', '.join(refused)}" if refused else ""


def _queue(queue: QueueState, bound: int, now: int) -> str:
    words = [f"{queue.queue} {queue.running}/{bound}"]
    if queue.queued:
        words.append(f"+{queue.queued}")
    if queue.blocked_by:
        words.append(f"held by {queue.blocked_by}")
        if queue.blocked_until and queue.blocked_until - now >= 1000:
            words.append(f"for {duration(queue.blocked_until - now)}")
    if queue.foreign_workers:
        words.append(f"NOT ENFORCED: {', '.join(queue.foreign_workers)}")
    return " ".join(words)
