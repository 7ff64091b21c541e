"""What the runs of tests/worker/test_periodic.py call. Each writes lines to a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def note(path: str, *words: object, **named: object) -> None:
    with Path(path).open("a") as file:
        file.write(f"{words} {named}\n")


def fail(path: str) -> None:
    note(path, "fail")
    raise RuntimeError("no luck today")


def stay(path: str, seconds: float) -> None:
    note(path, "began", os.getpid())
    time.sleep(seconds)
    note(path, "ended")


def ignore_term(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note(path, "began", os.getpid(), child.pid)
    time.sleep(600)
