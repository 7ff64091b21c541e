"""Rendering the chart with the real helm, without any cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import programs

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "headgate"
NAMESPACE = "headgate-system"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))
Render = Callable[..., str]


@pytest.fixture(scope="session")
def helm() -> Path:
    return programs.helm()


@pytest.fixture(scope="session")
def render(helm: Path) -> Render:
    """`helm template` with more arguments; its text. CalledProcessError with helm's words in stderr."""

    def rendered(*arguments: str) -> str:
        command = [str(helm), "template", "headgate", str(CHART), "-n", NAMESPACE, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return rendered


@pytest.fixture(scope="session", params=VALUE_SETS, ids=lambda path: path.stem)
def objects(request: pytest.FixtureRequest, render: Render) -> list[dict[str, Any]]:
    """Everything that one set of values in `ci/` makes."""
    return [found for found in yaml.safe_load_all(render("-f", str(request.param))) if found]
