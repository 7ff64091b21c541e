"""The suite that the cluster in memory passes, on the real API server through the operator's own door."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.control.ports import Kind, Manifest
from headgate_operator.cluster import ApiServer, path_of
from headgate_operator.live_cluster import LiveCluster
from headgate_operator.metrics import Metrics
from tests.cli.cluster_port_suite import *  # noqa: F403  the tests themselves
from tests.cli.cluster_port_suite import Edit
from tests.cli.conftest import eventually  # noqa: F401  a fixture of the suite

from .control_plane import ControlPlane

CRDS = Path(__file__).parents[2] / "deploy" / "crds"


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> None:
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


@pytest.fixture
async def cluster(control_plane: ControlPlane, crds: None) -> AsyncIterator[LiveCluster]:
    metrics = Metrics()
    api = await ApiServer.connect(str(control_plane.kubeconfig), metrics)
    yield LiveCluster(api, metrics)
    await api.close()


@pytest.fixture
def edit(control_plane: ControlPlane, namespace: str) -> Edit:
    async def merge_patch(kind: Kind, name: str, patch: Manifest) -> None:
        path = path_of(kind, namespace, name)
        await asyncio.to_thread(
            control_plane.request, "PATCH", path, json.loads(json.dumps(patch)), "application/merge-patch+json"
        )

    return merge_patch
