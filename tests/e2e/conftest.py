"""One node for the session, with the chart installed as a user would; scenarios have namespaces of their own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.cluster import binaries

from . import programs
from .images import Images
from .installation import SYSTEM, Installation
from .machine import alone, cannot
from .node import Cluster
from .recorder import Recorder
from .workplace import cache


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The marker, and the first installation first: what it times must be a fresh node."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()) and "tests/e2e" in item.nodeid:
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: "e2e/test_install.py" not in item.nodeid)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """Built and started; on a machine that cannot it skips, and fails where HEADGATE_E2E_STRICT is set."""
    reason = cannot()
    if reason:
        if os.environ.get("HEADGATE_E2E_STRICT"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    held = ExitStack()
    with capture.global_and_fixture_disabled():
        programs.install_packages()
        folder = binaries.node_folder()
        programs.helm()
        archives = Images(cache("images")).build()
        held.enter_context(alone())
    with held, Cluster(folder, tmp_path_factory.mktemp("node"), archives) as running:
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


@pytest.fixture
def wait_until(cluster: Cluster) -> Callable[..., None]:
    return cluster.wait_until
