"""kube-score over each set of values: what it finds has its reason here, or is mended."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chart import tools

VALUE_SETS = sorted((Path(__file__).parents[2] / "charts" / "headgate" / "ci").glob("*-values.yaml"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # a cold build takes minutes
ON_PURPOSE = {
    r"CPU limit is not set": "a CPU limit throttles bursts on an idle node; requests are set",
    r"ImagePullPolicy is not set to Always": "tags are versions and digests are offered; Always is a value",
    r"same readiness and liveness probe": "readiness must not hang on the store: no API pod could say that it is away",
    r"headgate-valkey/.*(few replicas|update strategy)": "the bundled store is one pod, for trying out",
    r"headgate-operator/.*few replicas": "that set of values asks for one",
    r"gates-.*does not have a matching NetworkPolicy": "that set turns them off, for a mesh that has its own",
    r"gates-operator/.*podAntiAffinity": "that set has an affinity of its own",
}
"""Finding -> why it stays."""


@pytest.fixture(scope="module")
def kube_score() -> Path:
    return tools.program("kube-score")


def findings(kube_score: Path, text: str) -> list[str]:
    command = [str(kube_score), "score", "-", "--output-format", "ci"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith(("[OK]", "[SKIPPED]"))]


def test_every_finding_has_its_reason_and_every_reason_a_finding(kube_score: Path, render: Callable[..., str]) -> None:
    found = [line for values in VALUE_SETS for line in findings(kube_score, render("-f", str(values)))]
    unexplained = [line for line in found if not any(re.search(known, line) for known in ON_PURPOSE)]
    assert unexplained == []
    for known in ON_PURPOSE:
        assert any(re.search(known, line) for line in found), f"nothing to excuse any more: {known}"


def test_it_would_find_a_fault(kube_score: Path, render: Callable[..., str]) -> None:
    broken = render().replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    assert any("ReadOnlyRootFilesystem" in line or "writable root" in line for line in findings(kube_score, broken))
