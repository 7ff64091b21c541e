"""The chart's objects as a real API server judges them: strictly, kind by kind, for each tested set of values."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e import programs

from .control_plane import ControlPlane

CHART = Path(__file__).parents[2] / "charts" / "headgate"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))
OTHERS = {"monitoring.coreos.com/v1"}
"""Kinds of other projects, which this server does not have."""
pytestmark = pytest.mark.timeout(900)  # helm is built the first time


@pytest.mark.parametrize("values", VALUE_SETS, ids=lambda path: path.stem)
def test_the_api_server_takes_every_object_strictly(installed: ControlPlane, values: Path) -> None:
    command = [str(programs.helm()), "template", "headgate", str(CHART), "-n", "headgate-system", "-f", str(values)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    objects = [found for found in yaml.safe_load_all(text) if found and found["apiVersion"] not in OTHERS]
    for namespace in {found["metadata"].get("namespace") for found in objects} - {None}:
        existing = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        installed.kubectl("apply", "-f", "-", stdin=existing)
    manifest = "\n---\n".join(json.dumps(found) for found in objects)
    said = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=manifest)
    assert len(said.splitlines()) == len(objects)
    assert "Warning" not in said
