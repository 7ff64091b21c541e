"""Waiting in tests: for a condition, with a deadline, never for a time."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], what: str = "the condition", seconds: float = 20.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  conditions look at another process or at a whole dictionary
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not after {seconds:g} s: {what}") from None
