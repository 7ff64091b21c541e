"""A fake API server per test and the operator's own doors to it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate_operator.cluster import ApiServer
from headgate_operator.metrics import Metrics

from .fake_api import FakeApi


@pytest.fixture
async def fake_api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def kubeconfig(fake_api: FakeApi, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "clusters": [{"name": "fake", "cluster": {"server": fake_api.url}}],
        "users": [{"name": "fake", "user": {"token": "secret-token"}}],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
async def api(kubeconfig: Path, metrics: Metrics) -> AsyncIterator[ApiServer]:
    server = await ApiServer.connect(str(kubeconfig), metrics)
    yield server
    await server.close()
