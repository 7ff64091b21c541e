"""The gates in a real store for asyncio: what the operator needs of them. Also `control.ports.Store`.

A blocking `Door` in a thread of its own: a few calls a second need no second client with error rules of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from headgate.gates.door import Door
from headgate.gates.http import Admit, AdmitAnswer, RequestsBeat, RequestsRenewal, Settle, SurfaceState
from headgate.gates.keys import Keys
from headgate.gates.runs import TaskState
from headgate.gates.samples import Sample, Samples
from headgate.gates.verbs import Declarations, Enqueue, EnqueueAnswer, Owner, PublishAnswer, Reaped, StoreState
from headgate.model.documents import Document, DocumentKind, HttpDocument, QueueDocument

T = TypeVar("T")


class AsyncDoor:
    """The gates of one store. Any number of tasks may use it; their calls run one after the other."""

    def __init__(self, url: str, prefix: str = "rq") -> None:
        self.keys = Keys(prefix)
        self._door = Door(url, prefix, timeout=1.9)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="headgate-store")

    async def close(self) -> None:
        await self._do(self._door.close)
        self._thread.shutdown()

    async def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer:
        return await self._do(partial(self._door.publish, document, owner, replaces_uid=replaces_uid))

    async def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool:
        return await self._do(partial(self._door.unpublish, kind, name, owner))

    async def inspect(self) -> StoreState:
        return await self._do(self._door.inspect)

    async def reap(self, limit: int = 100) -> Sequence[Reaped]:
        """Put back what lapsed. Jobs that must fail are left for a worker, which can run RQ's failure code."""
        return await self._do(partial(self._door.reap, limit))

    async def enqueue(self, enqueue: Enqueue) -> EnqueueAnswer:
        return await self._do(partial(self._door.enqueue, enqueue))

    async def read_document(self, queue: str) -> tuple[int, QueueDocument] | None:
        return await self._do(partial(self._door.read_document, queue))

    async def read_declared(self, queue: str) -> Declarations:
        return await self._do(partial(self._door.read_declared, queue))

    async def record_sample(self, sample: Sample) -> None:
        await self._do(partial(self._door.record_sample, sample))

    async def read_samples(self, since: int) -> Samples:
        return await self._do(partial(self._door.read_samples, since))

    async def admit(self, admit: Admit) -> AdmitAnswer:
        return await self._do(partial(self._door.admit, admit))

    async def settle(self, settles: Sequence[Settle]) -> int:
        return await self._do(partial(self._door.settle, settles))

    async def renew_requests(self, beat: RequestsBeat) -> RequestsRenewal:
        return await self._do(partial(self._door.renew_requests, beat))

    async def read_http(self, surface: str) -> tuple[int, HttpDocument] | None:
        return await self._do(partial(self._door.read_http, surface))

    async def inspect_http(self) -> Mapping[str, SurfaceState]:
        return await self._do(self._door.inspect_http)

    async def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        return await self._do(partial(self._door.skip_ticks, task, ticks))

    async def inspect_tasks(self) -> Mapping[str, TaskState]:
        return await self._do(self._door.inspect_tasks)

    async def check(self) -> None:
        await self._do(self._door.check)

    async def _do(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
