"""A cluster in memory, a clock, and waiting with a deadline."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from headgate_cli.clock import SystemClock
from headgate_cli.local.memory_cluster import MemoryCluster
from headgate_cli.main import main

DEADLINE_SECONDS = 45.0
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


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


@dataclass(frozen=True)
class Ran:
    """What one command said. `code` is its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def headgate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `headgate ARGUMENTS...` in this process, as its console script would; the environment names no store."""
    monkeypatch.delenv("REDIS_URL", raising=False)

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["headgate", *arguments])
        capsys.readouterr()
        code: str | int | None = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
        said = capsys.readouterr()
        return Ran(int(code or 0), said.out, said.err)

    return run
