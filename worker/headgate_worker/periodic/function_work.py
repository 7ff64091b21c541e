"""A function in a process of its own, in a group of its own: it can be stopped whatever it does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

from headgate.model.documents import TaskDocument
from headgate_worker import processes
from headgate_worker.periodic.settings import child_environment


class FunctionWork:
    """Starts at once."""

    def __init__(self, document: TaskDocument) -> None:
        call = {"function": document.function, "args": document.args, "kwargs": document.kwargs}
        self.failure = ""
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "headgate_worker.periodic.call"],
            stdin=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,
        )
        self._tell(call)

    def _tell(self, call: dict[str, Any]) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            with pipe:
                pipe.write(json.dumps(call).encode())
        except BrokenPipeError:
            pass  # it ended before it listened: its exit status says why

    def poll(self, seconds: float) -> bool | None:
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        processes.kill_group(self._process.pid)  # what it left behind would go on beside the next run
        if status < 0:
            self.failure = signal.Signals(-status).name
        elif status:
            self.failure = f"exit code {status}"
        return status == 0

    def stop(self) -> None:
        processes.kill_group(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        processes.kill_group(self._process.pid)
        self._process.wait()
