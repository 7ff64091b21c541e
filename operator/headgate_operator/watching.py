"""kopf's life inside this process: it starts when we lead and stops before we drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import kopf

from headgate_operator.cluster import ApiServer
from headgate_operator.forgetful import NoMemories
from headgate_operator.handlers import Changed, registry_of, settings_of


class WatchesEnded(Exception):
    """kopf stopped by itself: without events only the resync would be left, so the process starts anew."""


class _Everything(Collection[Any]):
    """At its end kopf waits 5 s for all tasks that it does not ignore and then cancels them: also ours, so all are."""

    def __contains__(self, _: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Watches:
    """`run` watches until `stop`. `started` is called once kopf runs, which has taken the signal handlers."""

    def __init__(
        self, api: ApiServer, namespaces: Sequence[str] | None, changed: Changed, started: Callable[[], None]
    ) -> None:
        self._api = api
        self._namespaces = namespaces
        self._changed = changed
        self._started = started
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Returns after `stop`, raises WatchesEnded otherwise."""
        tasks = await kopf.spawn_tasks(
            registry=registry_of(self._api, self._changed),
            settings=settings_of(self._namespaces),
            standalone=True,
            clusterwide=self._namespaces is None,
            namespaces=self._namespaces or (),
            stop_flag=self._stop,
            memories=NoMemories(),
        )
        self._started()
        try:
            await kopf.run_tasks(tasks, ignored=_Everything())
        except Exception as error:
            raise WatchesEnded(f"watching failed: {error or type(error).__name__}") from error
        if not self._stop.is_set():
            raise WatchesEnded("watching ended")
