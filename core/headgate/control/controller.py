"""The reconcile loop: the same object behind the operator and behind `headgate up`."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import structlog

from headgate.control.applying import Children
from headgate.control.autoscaler import Autoscaler
from headgate.control.budgets import Budgets
from headgate.control.facts import Gatherer
from headgate.control.http_policies import HttpPolicies
from headgate.control.memory import Memory
from headgate.control.observer import Observer
from headgate.control.periodic_tasks import PeriodicTasks
from headgate.control.pictures import Pictures
from headgate.control.policies import Policies
from headgate.control.ports import (
    BUDGET,
    HTTP_POLICY,
    PERIODIC_TASK,
    QUEUE_POLICY,
    SUBJECTS,
    Clock,
    Cluster,
    Key,
    Kind,
    Store,
    Telemetry,
)
from headgate.control.publishing import Publisher
from headgate.control.resync import Resync
from headgate.control.stores import Site
from headgate.control.ties import Ties
from headgate.control.workqueue import WorkQueue
from headgate.control.writing import StatusWriter
from headgate.errors import ClusterError, HeadgateError

SETTLE_SECONDS = 0.1
"""Events come in bursts, four children at a time: wait so long for the rest of one."""
SPREAD_SECONDS = 30.0
"""A resync calls for everybody; not all at once."""
STOP_SECONDS = 20.0
"""How long a stop waits for what is in hand."""

log = structlog.get_logger(__name__)


class Reconciler(Protocol):
    """Of one kind."""

    async def reconcile(self, key: Key) -> float | None: ...


class Controller:
    """`changed` may be called from any event; `run` does the work until `stop`.

    Make it inside a running event loop. `stores` by name, as in `site.stores`.
    """

    def __init__(
        self,
        cluster: Cluster,
        stores: Mapping[str, Store],
        site: Site,
        clock: Clock,
        *,
        telemetry: Telemetry | None = None,
        workers: int = 8,
        resync_seconds: float = 300.0,
        inspect_seconds: float = 5.0,
    ) -> None:
        self._clock, self._telemetry = clock, telemetry or Telemetry()
        self._workers, self._resync_seconds = workers, resync_seconds
        self.queue: WorkQueue[Key] = WorkQueue()
        self.memory, self.pictures = Memory(), Pictures(stores)
        memory, pictures = self.memory, self.pictures
        publisher = Publisher(cluster, stores, site, memory, pictures, clock)
        writer = StatusWriter(cluster, memory, clock)
        gatherer = Gatherer(cluster, site, memory, pictures)
        children = Children(cluster, memory, clock, self._telemetry)
        self.autoscaler = autoscaler = Autoscaler(cluster, memory, clock, self._telemetry)
        call = self._call
        ties = Ties(memory, publisher, call)
        self._by_kind: Mapping[Kind, Reconciler] = {
            QUEUE_POLICY: Policies(
                cluster, site, memory, gatherer, publisher, children, writer, clock, ties, autoscaler
            ),
            BUDGET: Budgets(cluster, site, memory, pictures, publisher, writer, clock, call),
            PERIODIC_TASK: PeriodicTasks(cluster, stores, site, memory, pictures, publisher, children, writer, clock),
            HTTP_POLICY: HttpPolicies(cluster, site, memory, gatherer, publisher, writer, clock, ties),
        }
        self._observers = [
            Observer(name, store, site, memory, pictures, clock, autoscaler, self._telemetry, call, inspect_seconds)
            for name, store in stores.items()
        ]
        self._resync = Resync(cluster, site, memory, pictures, publisher, clock, self._call_spread)
        self._spread = 0.0
        self._stopping = asyncio.Event()

    def changed(self, kind: Kind, namespace: str, name: str) -> None:
        """An event about a policy or budget, or about a child of that policy: it deserves a look."""
        if kind in SUBJECTS:
            key = Key(kind, namespace, name)
            for concerned in (key, *self.memory.tasks_of(key)):
                self.queue.add_after(concerned, SETTLE_SECONDS)

    async def reconcile(self, key: Key) -> float | None:
        """One key, once. Seconds until it should run again without an event, None when no time is known."""
        return await self._by_kind[key.kind].reconcile(key)

    async def prime(self) -> None:
        """Look at every store and list everything, so that the first decision sees them all."""
        await asyncio.gather(*(observer.look() for observer in self._observers))
        await self.resync()

    async def resync(self) -> None:
        """Raises ClusterError."""
        await self._resync.run()
        self._telemetry.resynced()

    async def observe(self) -> None:
        """One look at every store."""
        await asyncio.gather(*(observer.look() for observer in self._observers))

    async def run(self) -> None:
        """Until `stop`, which lets what is in hand end; or until it is cancelled, which does not."""
        await self._prime_patiently()
        watching = [asyncio.create_task(observer.run()) for observer in self._observers]
        watching.append(asyncio.create_task(self._resync_for_ever()))
        hands = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stopping, *watching, *hands], return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                await asyncio.wait(hands, timeout=STOP_SECONDS)
        finally:
            await _end([stopping, *watching, *hands])
            self.queue.close()

    def stop(self) -> None:
        """Take no new key."""
        self._stopping.set()

    async def work_off(self) -> None:
        """Reconcile what is ready, one after the other, until nothing is. For tests and for a single pass."""
        while self.queue.depth:
            await self._one(await self.queue.take())

    def _call(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.queue.add(key)

    def _call_spread(self, keys: Iterable[Key]) -> None:
        for key in keys:
            if self._spread:
                self.queue.add_after(key, random.random() * self._spread)  # noqa: S311  no secret
            else:
                self.queue.add(key)

    async def _prime_patiently(self) -> None:
        """An API server that is away at the start is waited for."""
        pause = 0.5
        while not self._stopping.is_set():
            try:
                await self.prime()
            except ClusterError as error:
                log.warning("Cannot list", problem=str(error), again_in=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 30.0)
            else:
                self._spread = SPREAD_SECONDS
                return

    async def _resync_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._resync_seconds)
            try:
                await self.resync()
            except HeadgateError as error:
                log.warning("Resync failed", problem=str(error))
            except Exception:
                log.exception("Resync failed")

    async def _work(self) -> None:
        while not self._stopping.is_set():
            taking, stopping = asyncio.create_task(self.queue.take()), asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    return
                await self._one(taking.result())
            finally:
                await _end([taking, stopping])

    async def _one(self, key: Key) -> None:
        """One key. No key ever stops the loop."""
        began, told = self._clock.monotonic(), partial(self._telemetry.reconciled, key)
        try:
            wait = await self.reconcile(key)
        except HeadgateError as error:
            pause = self.queue.add_failed(key)
            log.info("Reconcile again", key=str(key), problem=str(error), again_in=round(pause, 1))
            told("retry", self._clock.monotonic() - began)
        except Exception:
            self.queue.add_failed(key)
            log.exception("Reconcile failed", key=str(key))
            told("error", self._clock.monotonic() - began)
        else:
            self.queue.succeeded(key)
            if wait is not None:
                self.queue.add_after(key, wait)
            told("ok", self._clock.monotonic() - began)
        finally:
            self.queue.done(key)


async def _end(tasks: Sequence[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
