"""RQ's own test-suite, of the installed version, against our claim, fast path and endings."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.sources import suite
from tests.stores import valkey_binary

HERE = Path(__file__).parent
BLACK_BOX = (
    "callbacks", "dependencies", "job_dependency", "executions", "group", "repeat", "results", "retry", "webhooks",
    "rate_limit", "decorator", "registry", "worker_registration", "job", "queue", "commands", "worker", "scheduler",
    "cli", "job_lifecycle", "queue_unique", "timeouts",
)  # fmt: skip


def _private_network() -> list[str]:
    """The command that gives a process a network of its own, as root or as anybody where the kernel allows it."""
    for options in (["-n"], ["-U", "-r", "-n"]):
        command = ["unshare", *options]
        if (
            shutil.which("unshare")
            and not subprocess.run([*command, "true"], check=False, capture_output=True).returncode
        ):
            return command
    pytest.skip("RQ's tests need localhost:6379 to themselves: neither root nor user namespaces for `unshare -n` here")


def _run(tmp_path: Path, *options: str, **environment: str) -> tuple[str, int]:
    """(pytest's output, number of jobs granted by our claim)."""
    grants = tmp_path / "grants"
    files = [f"tests/test_{name}.py" for name in BLACK_BOX]
    pytest_command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "ignore",
        "-p",
        "conformance_plugin",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*_private_network(), sys.executable, str(HERE / "namespace.py"), valkey_binary(), *pytest_command,
         "--timeout", "120", *options, *files],
        cwd=suite(), capture_output=True, text=True, check=False,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HEADGATE_CONFORMANCE_GRANTS": str(grants),
            **environment,
        },
    )  # fmt: skip
    output = done.stdout[-6000:] + done.stderr[-2000:]
    assert done.returncode == 0, output
    return output, grants.stat().st_size


def _passed(output: str) -> int:
    found = re.search(r"(\d+) passed", output)
    assert found, output
    return int(found[1])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_rqs_tests_pass(tmp_path: Path) -> None:
    output, granted = _run(tmp_path, "-m", "not slow")
    assert _passed(output) > 600
    assert granted > 200


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_rqs_slow_tests_pass(tmp_path: Path) -> None:
    output, granted = _run(tmp_path, "-m", "slow", RUN_SLOW_TESTS_TOO="1")
    assert _passed(output) >= 10
    assert granted > 5


def test_every_exclusion_has_a_reason_and_a_test() -> None:
    tests = {path.name: path.read_text() for path in (suite() / "tests").glob("test_*.py")}
    lines = [line for line in (HERE / "exclusions.txt").read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        node, _, reason = line.partition("|")
        path, _class, name = node.strip().split("::")
        assert reason.strip(), line
        assert f"def {name}(" in tests[Path(path).name], f"{name} is no test of this version of RQ any more"
