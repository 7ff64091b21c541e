"""One node for the session, with the chart installed as a user would; scenarios have namespaces of their own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import binaries

from . import programs
from .images import Images
from .installation import Installation
from .machine import alone, cannot
from .node import SYSTEM, Cluster
from .recorder import Recorder
from .workplace import cache

FOLDER = Path(__file__).parent
ORDER = {"test_install.py": -1, "test_rights.py": 1, "test_upgrade.py": 2, "test_outage.py": 3}
"""First what needs a fresh node. Last what looks back, what replaces the installation, and an API server that is away:
the kubelet looks for it at intervals that grow to 30 s, and the next test would wait."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is `e2e`, and `cluster` too, so that `-m "not cluster"` starts no node."""
    for item in items:
        if item.path.parent == FOLDER:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.cluster)
    items.sort(key=lambda item: ORDER.get(item.path.name, 0) if item.path.parent == FOLDER else 0)


@pytest.fixture(scope="session")
def machine() -> Iterator[None]:
    """This machine for this run alone. Where it cannot run a node: a skip, a failure with HEADGATE_E2E_STRICT set."""
    reason = cannot()
    if reason and os.environ.get("HEADGATE_E2E_STRICT"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)
    with alone():
        yield


@pytest.fixture(scope="session")
def images(machine: None, pytestconfig: pytest.Config) -> Images:
    """Programs and images, built where needed; its progress belongs on the screen."""
    built = Images(cache("images"))
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        programs.install_packages()
        binaries.node_folder()
        programs.helm()
        built.build()
    return built


@pytest.fixture(scope="session")
def cluster(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(binaries.node_folder(), tmp_path_factory.mktemp("node"), images.archives) as running:
        yield running


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Installation:
    """`helm install` with the bundled store, in `headgate-system`."""
    installation = Installation(cluster, programs.helm(), SYSTEM)
    installation.install()
    return installation


@pytest.fixture(scope="session")
def recorder(cluster: Cluster) -> Iterator[Recorder]:
    running = Recorder()
    yield running
    running.stop()


@pytest.fixture
def namespace(cluster: Cluster, installed: Installation) -> Iterator[str]:
    """A fresh one with restricted Pod Security and the store's Secret; deleted afterwards."""
    name = f"e2e-{secrets.token_hex(3)}"
    installed.prepare_namespace(name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
