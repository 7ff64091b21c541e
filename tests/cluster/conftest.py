"""The real control plane for tests: built before the first test, started once a session, a namespace per test."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import binaries
from .control_plane import ControlPlane
from .operator_fixtures import (  # noqa: F401  fixtures
    account,
    free_lease,
    installed,
    new_operator,
    operator,
    proxy,
    through_proxy,
    world,
)

PROGRAMS = pytest.StashKey[Path | binaries.BinariesError]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the control plane carries the marker, so that `-m "not cluster"` never starts one."""
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build here: a cold build takes longer than a test may, and its progress belongs on the screen."""
    if session.config.option.collectonly or not any(item.get_closest_marker("cluster") for item in session.items):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        try:
            session.config.stash[PROGRAMS] = binaries.folder()
        except binaries.BinariesError as error:
            session.config.stash[PROGRAMS] = error


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One for all tests of the session: whatever is not in a namespace (CRDs, cluster roles) is shared."""
    programs = request.config.stash[PROGRAMS]
    if isinstance(programs, binaries.BinariesError):
        pytest.fail(str(programs), pytrace=False)
    with ControlPlane(programs, tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """The name of a fresh namespace; afterwards it is deleted in the background, with everything in it."""
    control_plane.start_apiserver()
    name = f"test-{secrets.token_hex(4)}"
    control_plane.create_namespace(name)
    yield name
    control_plane.start_apiserver()
    control_plane.request("DELETE", f"/api/v1/namespaces/{name}")
