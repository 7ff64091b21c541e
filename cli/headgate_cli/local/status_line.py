"""One line now and then: how many jobs run, of how many that may, what holds the others back, who was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import QueueState, StoreState
from headgate_cli.text import duration


def status_line(
    state: StoreState,
    bounds: Mapping[str, int],
    total: int,
    surfaces: Iterable[SurfaceState] = (),
    tasks: Iterable[TaskState] = (),
) -> str:
    """`24 of 31 running | campaigns 5/5 +120 held by budget/local/mail | api refused 17 by general | sync runs`.

    Idle queues, surfaces that refused nobody, and tasks that neither run nor failed nor skipped are left out.
    `bounds`: the most jobs at once of each of our queues; `total`: of all of them together.
    """
    ours = [queue for name, queue in sorted(state.queues.items()) if name in bounds]
    running = sum(queue.running for queue in ours)
    parts = [f"{running} of {total} running"]
    if state.quarantine_until > state.now:
        parts.append(f"QUARANTINE for {duration(state.quarantine_until - state.now)}")
    parts += [_queue(queue, bounds[queue.queue], state.now) for queue in ours if queue.running or queue.queued]
    parts += [words for surface in surfaces if (words := _refused(surface))]
    parts += [words for task in tasks if (words := _task(task, state.now))]
    return " | ".join(parts)


def _refused(surface: SurfaceState) -> str:
    refused = [f"{counts.denied} by {name}" for name, counts in surface.rules.items() if counts.denied]
    return f"{surface.surface} refused {', '.join(refused)}" if refused else ""


def _task(task: TaskState, now: int) -> str:
    """Empty: nothing to tell. Its namespace is left out: all are ours."""
    words = []
    if task.running:
        words.append("runs" if now - task.running_since < 1000 else f"runs for {duration(now - task.running_since)}")
    elif task.last_outcome not in ("", "ok"):
        words.append("FAILED" if task.last_outcome == "failed" else f"FAILED ({task.last_outcome})")
    if task.skipped:
        words.append(f"skipped {task.skipped}")
    return f"{task.name.rpartition('/')[2]} {', '.join(words)}" if words else ""


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
