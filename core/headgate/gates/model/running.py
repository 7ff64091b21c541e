"""Runs of periodic tasks in the reference: begin, renew, end, skip, and how they look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from headgate.gates.model.state import Store
from headgate.gates.model.tasks import SHOWN_TICKS, Run, Task
from headgate.gates.runs import Begin, BeginAnswer, Begun, NoTask, Passed, Running, TaskHeld, TaskState
from headgate.gates.verbs import LEASE_MS
from headgate.model.documents import TaskDocument


def begin(store: Store, begin: Begin) -> BeginAnswer:
    now, task = store.now, store.tasks.get(begin.task)
    if task is None or task.document is None:
        return NoTask()
    current = task.live(now)
    if current and (current.run, current.pod) == (begin.run, begin.pod):
        return Begun(current.fence, task.revision, task.document)
    if store.quarantined:
        return TaskHeld(store.meta.quarantine_until)
    if task.document.stop_policy == "Hold":
        return TaskHeld(0)
    if current:
        if begin.tick is not None and current.run != begin.run:
            task.skip(begin.tick)
        return Running(current.run, current.pod, current.since)
    if task.current:
        task.end("lost", task.current.lease_end)
    again = task.last_run == begin.run and task.last_outcome != "ok"
    if begin.tick is not None and not again and _is_past(task, task.document, begin.tick):
        task.skip(begin.tick)
        return Passed(begin.tick)
    store.meta.seq += 1
    if begin.tick is not None:
        task.ran(begin.tick)
    if not again:
        task.cycles = task.cycles + 1 if task.in_a_row else 0
    task.in_a_row = 0
    task.current = Run(begin.run, store.meta.seq, begin.pod, now, now + LEASE_MS)
    return Begun(store.meta.seq, task.revision, task.document)


def _is_past(task: Task, document: TaskDocument, tick: int) -> bool:
    late = document.on_overlap == "Skip" and tick < task.last_ended
    return late or tick <= task.last_tick or (tick, "r") in task.ticks


def renew(store: Store, name: str, run: str, fence: int) -> bool:
    store.meta.clock = store.now
    task = store.tasks.get(name) or Task()
    held = _holds(store, name, task, run, fence)
    if held is None:
        return False
    held.lease_end = store.now + LEASE_MS
    task.expires = None if task.document else store.now + LEASE_MS
    return True


def end(store: Store, name: str, run: str, fence: int, outcome: Literal["ok", "failed", "deadline"]) -> bool:
    task = store.tasks.get(name) or Task()
    if not task.current and (task.last_run, task.last_fence) == (run, fence) and task.last_outcome != "lost":
        return True
    if _holds(store, name, task, run, fence) is None:
        return False
    task.end(outcome, store.now)
    if task.document is None:
        del store.tasks[name]
    return True


def _holds(store: Store, name: str, task: Task, run: str, fence: int) -> Run | None:
    """After data was lost a run's own word counts, unless a later one is known: fences grow."""
    current = task.current
    if current and (current.run, current.fence) == (run, fence):
        return current
    if not store.quarantined or fence <= max(current.fence if current else 0, task.last_fence):
        return None
    task.current = Run(run, fence, "", store.now, store.now + LEASE_MS)
    store.tasks[name] = task
    return task.current


def skip(store: Store, name: str, ticks: Sequence[int]) -> int:
    task = store.tasks.get(name)
    if task is None or task.document is None:
        return 0
    return sum([task.skip(tick) for tick in ticks])


def inspect(store: Store) -> Mapping[str, TaskState]:
    return {name: _state(name, task, task.document) for name, task in store.tasks.items() if task.document is not None}


def _state(name: str, task: Task, document: TaskDocument) -> TaskState:
    current = task.current
    return TaskState(
        name=name,
        revision=task.revision,
        document=document,
        running=current.run if current else "",
        running_pod=current.pod if current else "",
        running_since=current.since if current else 0,
        lease_end=current.lease_end if current else 0,
        last_tick=task.last_tick,
        last_started=task.last_started,
        last_ended=task.last_ended,
        last_success=task.last_success,
        last_outcome=task.last_outcome,
        skipped=task.skipped,
        skips_in_a_row=task.in_a_row,
        last_skipped_tick=task.last_skip,
        cycles_with_skips=task.cycles,
        skipped_ticks=tuple(tick for tick, letter in task.ticks if letter == "s")[-SHOWN_TICKS:],
    )
