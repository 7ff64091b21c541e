"""Doors to the administrator's stores. The address is in a file that a Secret mounts, and may change at any time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from headgate.errors import StoreUnavailable
from headgate.gates.async_door import AsyncDoor
from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import Owner, PublishAnswer, Reaped, StoreState
from headgate.model.documents import Document, DocumentKind
from headgate_operator.metrics import Metrics

T = TypeVar("T")

log = structlog.get_logger(__name__)


class MountedStore:
    """The Store port of one store. Reads the URL file before each call and moves to another server when it changed."""

    def __init__(self, name: str, url_file: Path, prefix: str, metrics: Metrics) -> None:
        self._name = name
        self._file = url_file
        self._prefix = prefix
        self._metrics = metrics
        self._url = ""
        self._door: AsyncDoor | None = None

    async def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer:
        return await self._ask(lambda door: door.publish(document, owner, replaces_uid=replaces_uid))

    async def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool:
        return await self._ask(lambda door: door.unpublish(kind, name, owner))

    async def inspect(self) -> StoreState:
        return await self._ask(lambda door: door.inspect())

    async def inspect_http(self) -> Mapping[str, SurfaceState]:
        return await self._ask(lambda door: door.inspect_http())

    async def inspect_tasks(self) -> Mapping[str, TaskState]:
        return await self._ask(lambda door: door.inspect_tasks())

    async def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        return await self._ask(lambda door: door.skip_ticks(task, ticks))

    async def reap(self, limit: int = 100) -> Sequence[Reaped]:
        return await self._ask(lambda door: door.reap(limit))

    async def check(self) -> None:
        await self._ask(lambda door: door.check())

    async def close(self) -> None:
        if self._door:
            await self._door.close()

    async def _ask(self, call: Callable[[AsyncDoor], Awaitable[T]]) -> T:
        up = self._metrics.store_up.labels(store=self._name)
        try:
            answer = await call(await self._current())
        except StoreUnavailable:
            up.set(0)
            raise
        up.set(1)
        return answer

    async def _current(self) -> AsyncDoor:
        url = self._read()
        if self._door is None or url != self._url:
            old, self._url = self._door, url
            try:
                self._door = AsyncDoor(url, self._prefix)
            except ValueError as error:
                self._door = None
                raise StoreUnavailable(
                    f"store {self._name}: {self._file} holds no store address ({error}): "
                    "it must be redis://user:password@host:port/number, rediss:// or unix://"
                ) from None
            if old:
                log.info("Store address changed", store=self._name)
                await old.close()
        return self._door

    def _read(self) -> str:
        try:
            url = self._file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StoreUnavailable(
                f"store {self._name}: its address cannot be read from {self._file} ({error}): mount its Secret there"
            ) from error
        if not url:
            raise StoreUnavailable(f"store {self._name}: {self._file} is empty: put the store's URL there")
        return url
