"""Finding and building the programs, with a stand-in for Go: what is missing is named, nothing half-built is used."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from . import binaries

# Called as `go build <flags> -o OUT PACKAGE`: notes the package and writes OUT.
GO = """#!/bin/sh
for last; do :; done
while [ "$1" != -o ]; do shift; done
echo "$last" >> "$BUILT"
sleep 0.05
echo program > "$2"
"""
FAILING_GO = "#!/bin/sh\necho 'go: module not found' >&2\nexit 1\n"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, no assets, and a record of what was built in the file `built`."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BUILT", str(tmp_path / "built"))


@pytest.fixture
def install_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Put a script in front of the real Go; without a call of it there is only the real one."""

    def install(script: str) -> None:
        go = tmp_path / "bin" / "go"
        go.parent.mkdir()
        go.write_text(script)
        go.chmod(0o755)
        monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def assets(folder: Path, *left_out: str) -> str:
    for name in binaries.PACKAGES:
        if name not in left_out:
            (folder / name).touch(mode=0o755)
    return str(folder)


def test_kubebuilder_assets_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", assets(tmp_path))
    assert binaries.folder() == tmp_path


def test_what_kubebuilder_assets_lack_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", assets(tmp_path, "kube-controller-manager"))
    with pytest.raises(binaries.BinariesError, match=r"no executable kube-controller-manager$"):
        binaries.folder()


def test_without_go_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(binaries.BinariesError, match=r"^Go is not installed, .*install Go 1\.\d+.*KUBEBUILDER_ASSETS"):
        binaries.folder()


def test_a_failed_build_shows_the_reason_of_go_and_leaves_no_program(install_go: Callable[[str], None]) -> None:
    install_go(FAILING_GO)
    with pytest.raises(binaries.BinariesError, match="failed: go: module not found"):
        binaries.folder()
    assert list(binaries.cache_folder().iterdir()) == []


def test_two_runs_at_once_build_each_program_once(install_go: Callable[[str], None], tmp_path: Path) -> None:
    install_go(GO)
    command = [sys.executable, str(Path(binaries.__file__))]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [run.communicate(timeout=30) for run in runs]
    assert [output.strip() for output, _ in outputs] == [str(binaries.cache_folder())] * 2
    assert (tmp_path / "built").read_text().split() == list(binaries.PACKAGES.values())
    assert sorted(path.name for path in binaries.cache_folder().iterdir()) == sorted(binaries.PACKAGES)
