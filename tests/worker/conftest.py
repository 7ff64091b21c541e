"""A queue of its own for each test, on real Valkey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import StoreServer
from tests.worker.running import Bench


@pytest.fixture
def bench(valkey_server: StoreServer, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(valkey_server.url, "work", tmp_path)
    yield bench
    bench.close()
