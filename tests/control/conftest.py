"""The world of tests/control/world.py, and the parts of it that a test may want to make anew."""

from __future__ import annotations

import pytest

from .doubles import Killed
from .world import World


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def make_world() -> type[World]:
    return World


@pytest.fixture
def killed() -> type[Killed]:
    return Killed
