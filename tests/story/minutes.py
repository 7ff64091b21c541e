"""The three periodic tasks on a clock whose minute is shorter: as they were, and with their policies.

`FASTER` divides the minute and the time that a run takes alike, so whether a run outlasts its minute is as likely as it
was. What Headgate measures itself (the lease of 20 s, its renewal) stays as long as it is. Such a clock has no whole
minutes, so its runs have no tick: the lease alone keeps them apart, as it does runs that people start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from tests.processes import tree
from tests.story.world import EXAMPLE, PROGRAMS

FASTER = 15.0
MINUTE = 60.0 / FASTER
TASKS = {
    "periodic-sync": "sync_due_mailboxes",
    "scheduled-emails": "process_scheduled_emails",
    "snoozed-emails": "process_snoozed_emails",
}
"""The PeriodicTask, and the function that notes its start and its end."""
SKIPPED = "already running, skipping"


class Minutes:
    """`limited`: by `headgate-task`, else by the company's own `taskforce.interval`. Runs from enter to exit."""

    def __init__(self, folder: Path, store_url: str, *, limited: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limited = folder, limited
        self._env = {
            **os.environ,
            "REDIS_URL": store_url,
            "PYTHONPATH": str(EXAMPLE),
            "TASKFORCE_SPEED": f"{FASTER:g}",
            "TASKFORCE_NOTES": str(folder / "notes"),
        }
        self._stop = threading.Event()
        self._clock = threading.Thread(target=self._tick, daemon=True)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Minutes:
        if self._limited:
            self._clock.start()
        else:
            self._start("interval", [sys.executable, "-m", "taskforce.interval", "--every", f"{MINUTE:g}"])
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._limited:
            self._clock.join()
        for process in self._processes:
            tree.end(process.pid)
            process.wait()

    def starts(self) -> dict[str, list[int]]:
        """Function -> for each start, how many of it ran then, itself included."""
        notes = self._folder / "notes"
        return depths(notes.read_text().splitlines() if notes.exists() else ())

    def skipped(self) -> int:
        """Runs that said they are not needed."""
        return sum(path.read_text().count(SKIPPED) for path in self._folder.glob("*.log"))

    def failed(self) -> list[int]:
        """Exit codes of runs that are over and did not end well."""
        return [code for process in self._processes if (code := process.poll())]

    def _tick(self) -> None:
        while not self._stop.wait(MINUTE):
            for task in TASKS:
                self._start(task, [str(PROGRAMS / "headgate-task"), f"local/{task}"])

    def _start(self, name: str, command: list[str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=self._env, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)


def depths(notes: Iterable[str]) -> dict[str, list[int]]:
    """From lines `<what> <ns> <pid> S|E`. An end and a start in one instant do not overlap."""
    found: dict[str, list[int]] = {function: [] for function in TASKS.values()}
    running = dict.fromkeys(found, 0)
    parsed = [line.split() for line in notes]
    for what, _at, _pid, phase in sorted(parsed, key=lambda fields: (int(fields[1]), fields[3])):
        running[what] += 1 if phase == "S" else -1
        if phase == "S":
            found[what].append(running[what])
    return found
