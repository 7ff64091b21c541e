"""`headgate up` with a task that takes longer than its schedule allows: real minutes, so these are slow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from headgate.gates.door import Door
from headgate.gates.runs import TaskState

pytestmark = [pytest.mark.store, pytest.mark.slow, pytest.mark.timeout(420)]
BIN = Path(sys.executable).parent
TASK = """\
apiVersion: headgate.dev/v1alpha1
kind: PeriodicTask
metadata: {name: sync}
spec:
  schedule: "* * * * *"
  function: tasks.sync
  args: [%s, 80]
  deadlineSeconds: %d
  template: {}
"""
APP = """
import time

def sync(journal, seconds):
    with open(journal, "a") as file:
        file.write(f"began {time.monotonic()}\\n")
    time.sleep(seconds)
    with open(journal, "a") as file:
        file.write(f"ended {time.monotonic()}\\n")
"""


class Up:
    def __init__(self, folder: Path, url: str, deadline: int = 120) -> None:
        self.folder, self.url, self.journal = folder, url, folder / "journal"
        for name in ("policies", "app"):
            (folder / name).mkdir()
        (folder / "app" / "tasks.py").write_text(APP)
        (folder / "policies" / "sync.yaml").write_text(TASK % (self.journal, deadline))
        self.log = folder / "up.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(BIN / "headgate"), "up", "policies", "--app", "app", "--store", url],
                cwd=folder,
                env={**os.environ, "COLUMNS": "200"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.log.read_text()

    def wait_for(self, holds: Callable[[], object], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.fail(f"{what}: not within {seconds} s\n{self.text()[-6000:]}")
            time.sleep(0.2)

    def words(self) -> list[str]:
        return [line.split()[0] for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    def state(self) -> TaskState:
        with closing(Door(self.url)) as door:
            return door.inspect_tasks()["local/sync"]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_task_of_80_seconds_on_a_minute_schedule_never_overlaps(folder: Path, valkey_url: str) -> None:
    up = Up(folder, valkey_url)
    try:
        up.wait_for(lambda: up.words() == ["began"], "the first run", 90)
        assert "task local/sync: * * * * * Etc/UTC runs tasks.sync, at most 120 s, never twice at once" in up.text()
        by_hand = subprocess.run(
            [str(BIN / "headgate-task"), "local/sync"],
            cwd=folder / "app",
            env={**os.environ, "REDIS_URL": valkey_url, "HEADGATE_JOB_NAME": "by-hand"},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert by_hand.returncode == 0
        assert "already running, skipping" in by_hand.stderr
        up.wait_for(lambda: len(up.words()) == 3, "the second run", 150)
        state = up.state()
        assert (state.skipped, state.last_outcome) == (1, "ok")
        shown = subprocess.run(
            [str(BIN / "headgate"), "status", "--store", valkey_url], capture_output=True, text=True, timeout=30
        )
        assert re.search(r"local/sync +\* \* \* \* \* +sync-\d+ for", shown.stdout), shown.stdout
    finally:
        code = up.stop()
    assert code == 0, up.text()[-4000:]
    assert up.words()[:3] == ["began", "ended", "began"], "one at a time"


def test_a_run_that_takes_too_long_ends_and_frees_the_next(folder: Path, valkey_url: str) -> None:
    up = Up(folder, valkey_url, deadline=10)
    try:
        up.wait_for(lambda: up.words() == ["began"], "the first run", 90)
        up.wait_for(lambda: up.state().last_outcome in ("deadline", "failed"), "its end", 40)
        up.wait_for(lambda: up.words() == ["began", "began"], "the second run", 90)
        assert up.state().skipped == 0
    finally:
        assert up.stop() == 0
