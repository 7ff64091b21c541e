"""A fleet over each real store."""

from collections.abc import Iterator

import pytest

from tests.gates.play import Play


@pytest.fixture
def play(store_url: str) -> Iterator[Play]:
    fleet = Play(store_url)
    yield fleet
    fleet.close()
