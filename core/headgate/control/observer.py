"""Looks at one store every few seconds and calls for those whose picture changed: never once per policy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from headgate.control.autoscaler import Autoscaler
from headgate.control.memory import Memory
from headgate.control.pictures import SILENCE_SECONDS, Pictures
from headgate.control.ports import HTTP_POLICY, PERIODIC_TASK, QUEUE_POLICY, Clock, Key, Kind, Store, Telemetry
from headgate.control.stores import Site
from headgate.errors import StoreUnavailable, StoreUnsuitable
from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import Owner, QueueState, StoreState
from headgate.status.throttled import Memory as Throttle
from headgate.status.throttled import noticed

CHECK_SECONDS = 60.0
"""How often the store is asked whether it is fit for use: its settings can change under us."""
REAP_SECONDS = 30.0
"""How often lapsed jobs are put back where no worker is left to do it (workers do it at each renewal)."""
EAGER_SECONDS = 10.0
EAGER_INTERVAL_SECONDS = 0.3
"""After a publication somebody waits for acknowledgements: look so often for so long."""
LOAD = 10
"""Never spend more than one part in so many of the time with looking."""

Surfaces = Mapping[str, SurfaceState]
Tasks = Mapping[str, TaskState]

log = structlog.get_logger(__name__)


class Observer:
    """`look` is the single step. A store that is away is noticed here, and so is its return, which calls everybody."""

    def __init__(
        self,
        name: str,
        store: Store,
        site: Site,
        memory: Memory,
        pictures: Pictures,
        clock: Clock,
        autoscaler: Autoscaler,
        telemetry: Telemetry,
        call: Callable[[Iterable[Key]], None],
        interval: float = 5.0,
    ) -> None:
        self._name, self._store, self._site = name, store, site
        self._memory, self._pictures, self._clock, self._call = memory, pictures, clock, call
        self._autoscaler, self._telemetry = autoscaler, telemetry
        self._quarantine_until = 0
        self._interval = interval
        self._checked_at = self._reaped_at = self._eager_until = float("-inf")
        self._away = True
        self._looks: dict[Key, tuple[Any, ...]] = {}
        self._hurry = asyncio.Event()
        pictures.on_hurry(name, self._hurry.set)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            began = self._clock.monotonic()
            try:
                await self.look()
            except Exception:
                log.exception("Look failed", store=self._name)
            await self._rest(self._clock.monotonic() - began)

    async def look(self) -> None:
        """One look. It never raises for what the store does."""
        began = self._clock.monotonic()
        before = self._pictures[self._name]
        was_away = self._away or bool(before.problem) or not before.reachable(began)
        try:
            await self._check(began)
            state = await self._store.inspect()
            surfaces = await self._surfaces(state)
            tasks = await self._tasks(state)
        except StoreUnsuitable as error:
            self._judged(str(error))
        except StoreUnavailable as error:
            self._failed(str(error))
        else:
            self._answered(state, surfaces, tasks, began, was_away)
            await self._reap(state)

    async def _rest(self, took: float) -> None:
        if self._hurry.is_set():
            self._hurry.clear()
            self._eager_until = self._clock.monotonic() + EAGER_SECONDS
        eager = self._clock.monotonic() < self._eager_until
        pause = max(EAGER_INTERVAL_SECONDS if eager else self._interval, took * LOAD)
        with contextlib.suppress(TimeoutError):
            # not wait_for: before Python 3.12 it loses a cancellation that comes together with the event
            async with asyncio.timeout(pause):
                await self._hurry.wait()
                await asyncio.sleep(max(EAGER_INTERVAL_SECONDS, took * LOAD))

    async def _check(self, now: float) -> None:
        unsuitable = self._pictures[self._name].unsuitable
        if now - self._checked_at >= CHECK_SECONDS or unsuitable:
            await self._store.check()
            self._checked_at = now
        if unsuitable:
            self._judged("")

    def _judged(self, unsuitable: str) -> None:
        before = self._pictures[self._name]
        self._pictures.judged(self._name, unsuitable, self._clock.monotonic())
        if unsuitable != before.unsuitable:
            log.warning("Store judged", store=self._name, unsuitable=unsuitable or "no longer")
            self._call_all()

    def _failed(self, problem: str) -> None:
        """Told at once to those who want to publish, and to all once it was silent for too long."""
        before = self._pictures[self._name]
        self._pictures.failed(self._name, problem)
        if not before.problem:
            log.warning("Store away", store=self._name, problem=problem)
        if not self._away and self._clock.monotonic() - before.answered_at >= SILENCE_SECONDS:
            self._away = True
            self._call_all()

    async def _surfaces(self, state: StoreState) -> Surfaces:
        """Asked only where somebody declares one."""
        declared = any(field.startswith("http/") for field in state.owners)
        return await self._store.inspect_http() if declared else {}

    async def _tasks(self, state: StoreState) -> Tasks:
        declared = any(field.startswith("task/") for field in state.owners)
        return await self._store.inspect_tasks() if declared else {}

    def _answered(self, state: StoreState, surfaces: Surfaces, tasks: Tasks, began: float, was_away: bool) -> None:
        self._pictures.answered(self._name, state, surfaces, self._clock.monotonic(), tasks)
        if state.quarantine_until > max(self._quarantine_until, state.now):
            self._telemetry.quarantined(self._name)
        self._quarantine_until = state.quarantine_until
        if was_away:
            log.info("Store answers", store=self._name)
            self._away = False
            self._call_all()
        self._call(self._lost(state, surfaces, began))
        self._call(self._changed(state, surfaces, tasks))

    def _lost(self, state: StoreState, surfaces: Surfaces, began: float) -> list[Key]:
        """Whose document the store no longer holds as we published it: data was lost, or somebody removed it."""
        lost = []
        for key, declared in list(self._memory.declared.items()):
            if declared.store != self._name or declared.at >= began:
                continue
            owner, kind = state.owners.get(declared.field), declared.document.kind
            shown = state.queues.get(declared.name) if kind == "queue" else surfaces.get(declared.name)
            held = owner is not None and owner.uid == declared.owner.uid
            if not held or (shown and shown.revision != declared.revision):
                log.warning("Document lost", key=str(key), store=self._name)
                del self._memory.declared[key]
                lost.append(key)
        return lost

    def _changed(self, state: StoreState, surfaces: Surfaces, tasks: Tasks) -> list[Key]:
        quarantined, now = state.quarantine_until > state.now, self._clock.monotonic()
        looks: dict[Key, tuple[Any, ...]] = {}
        for queue in state.queues.values():
            key = self._key_of(QUEUE_POLICY, queue.owner)
            if key is None:
                continue
            throttle = noticed(self._memory.throttles.get(key, Throttle()), queue.blocked_by, now)
            self._memory.throttles[key] = throttle
            looks[key] = (quarantined, throttle.blocker, self._autoscaler.look(key, queue, state), *_look(queue))
        for name, surface in surfaces.items():
            key = self._key_of(HTTP_POLICY, state.owners.get(f"http/{name}"))
            if key:
                looks[key] = (surface.revision, frozenset(surface.instances.items()))
        for name, task in tasks.items():
            key = self._key_of(PERIODIC_TASK, state.owners.get(f"task/{name}"))
            if key:
                looks[key] = (task.revision, task.running, task.last_ended, task.skipped, task.last_tick)
        changed = [key for key, look in looks.items() if self._looks.get(key) != look]
        self._looks = looks
        return changed

    def _key_of(self, kind: Kind, owner: Owner | None) -> Key | None:
        """The policy that declares it, if it is one of ours that we know by now."""
        if owner is None or owner.cluster != self._site.cluster_id or "/" not in owner.name:
            return None
        key = Key(kind, *owner.name.split("/", 1))
        return key if self._memory.claims.declares(key) or key in self._memory.tasks else None

    async def _reap(self, state: StoreState) -> None:
        now = self._clock.monotonic()
        orphaned = any(queue.running and not queue.instances for queue in state.queues.values())
        if not orphaned and now - self._reaped_at < REAP_SECONDS:
            return
        self._reaped_at = now
        try:
            reaped = await self._store.reap()
        except (StoreUnavailable, StoreUnsuitable) as error:
            log.warning("Reap failed", store=self._name, problem=str(error))
        else:
            for one in reaped:
                log.warning("Queue job lost", queue=one.queue, id=one.job_id, fate=str(one.fate))

    def _call_all(self) -> None:
        self._call(self._memory.keys_of(self._name))


def _look(queue: QueueState) -> tuple[Any, ...]:
    """What of a queue shows in its policy's status."""
    instances = frozenset((instance.pod, instance.revision) for instance in queue.instances)
    idle_due = bool(queue.due) and not queue.instances
    return (
        queue.revision,
        queue.owner and queue.owner.uid,
        instances,
        tuple(queue.foreign_workers),
        queue.poison,
        idle_due,
    )
