"""A run that is killed leaves nothing on the machine."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .images import ROOT
from .machine import CGROUPS

RUN = """
import sys, time
from pathlib import Path
from tests.e2e.machine import Janitor, make_cgroups, make_link
link, cgroup, folder = sys.argv[1:]
janitor = Janitor(link, cgroup, Path(folder))
make_link(link, "10.88.77.1")
make_cgroups(cgroup)
for controller in Path("/sys/fs/cgroup").glob(f"*/{cgroup}"):
    (controller / "kubepods" / "pod1").mkdir(parents=True)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.usefixtures("machine")
def test_the_link_the_cgroups_and_the_large_folders_go_with_a_killed_run(tmp_path: Path) -> None:
    link, cgroup = f"hg{secrets.token_hex(3)}", f"headgate-e2e-{secrets.token_hex(3)}"
    large = tmp_path / "containerd"
    large.mkdir()
    arguments = [sys.executable, "-c", RUN, link, cgroup, str(tmp_path)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        try:
            assert run.stdout.readline() == "ready\n"
            assert Path(f"/sys/class/net/{link}").exists()
            assert list(CGROUPS.glob(f"*/{cgroup}"))
        finally:
            run.kill()
    eventually(lambda: not Path(f"/sys/class/net/{link}").exists(), "the link is gone")
    eventually(lambda: not list(CGROUPS.glob(f"*/{cgroup}")), "the cgroups are gone")
    eventually(lambda: not large.exists(), "containerd's folder is gone")


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"not after 20 s: {what}"
        time.sleep(0.05)
