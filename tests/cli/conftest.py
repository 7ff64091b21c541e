"""A cluster in memory, a clock, and waiting with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from headgate_cli.local.memory_cluster import MemoryCluster

DEADLINE_SECONDS = 20.0
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def eventually() -> Eventually:
    """Poll until it holds; fail with its name after DEADLINE_SECONDS."""

    async def wait(holds: Callable[[], Awaitable[bool]]) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while not await holds():
            assert time.monotonic() < end, f"never came true: {holds.__name__}"
            await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def memory_cluster(clock: SystemClock) -> MemoryCluster:
    return MemoryCluster(clock)
