"""A policy in a real store and the middleware in front of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import Document, HttpDocument, HttpMatch, HttpRule, PathMatch, RateDocument
from headgate_api.gate import GateMiddleware
from headgate_api.gate.metrics import COUNTS
from tests.api.gate.asgi import lifespan
from tests.api.gate.backend import app as backend

Publish = Callable[..., None]

SETTLED_SECONDS = 0.2
"""Settles go every 5 ms; a busy machine takes longer to send one."""


def rule(name: str, limit: int | None = None, period_ms: int = 60_000, **more: Any) -> HttpRule:
    """`path` for a Prefix match."""
    if "path" in more:
        more["match"] = HttpMatch(paths=(PathMatch(value=more.pop("path")),))
    rate = None if limit is None else RateDocument(limit=limit, period_ms=period_ms)
    return HttpRule(name=name, rate=rate, **more)


def policy(*rules: HttpRule, **more: Any) -> HttpDocument:
    return HttpDocument(surface="api", rules=rules, **more)


class Publisher:
    """Declares documents, each newer than the one before."""

    def __init__(self, url: str) -> None:
        self.door = Door(url)
        self._generation = 0

    def __call__(self, *documents: Document) -> None:
        self._generation += 1
        for document in documents:
            self.door.publish(
                document, Owner(name="ns/api", uid=document.name, generation=self._generation, cluster="c")
            )

    def unpublish(self, surface: str = "api") -> None:
        self.door.unpublish("http", surface, self._owner(surface, self._generation + 1))

    @staticmethod
    def _owner(uid: str, generation: int) -> Owner:
        return Owner(name="ns/api", uid=uid, generation=generation, cluster="c")


@pytest.fixture
def publish(valkey_url: str) -> Iterator[Publisher]:
    publisher = Publisher(valkey_url)
    yield publisher
    publisher.door.close()


@pytest.fixture
async def gate(valkey_url: str) -> AsyncIterator[Callable[..., Any]]:
    """Puts the middleware in front of an application, started and stopped as a server does."""
    async with AsyncExitStack() as stack:

        async def made(app: Any = backend, **options: Any) -> GateMiddleware:
            gated = GateMiddleware(app, **{"store_url": valkey_url, **options})
            await stack.enter_async_context(lifespan(gated))
            return gated

        yield made


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    for counts in (COUNTS.decisions, COUNTS.near, COUNTS.timeouts):
        counts.clear()


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "not in time"
        await asyncio.sleep(0.01)
