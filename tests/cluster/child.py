"""A server process that ends with the process that started it, however that one ends."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The kernel sends the parent-death signal when the starting thread ends, not the process: a server started from a
# short-lived thread would die with it. This thread starts them all and lives as long as the interpreter.
STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-starter")

DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""Before a command line: the kernel kills the program when the thread that started it ends, also by SIGKILL."""


class ChildError(RuntimeError):
    """A server ended by itself; the message ends with the last lines of its log."""


class Child:
    """One server: `command` run in `folder`, output appended to `<folder>/<name>.log`, in a session of its own."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        self.name = name
        self.command = command
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    def start(self) -> None:
        """Start it, unless it runs; may be called again after `kill`."""
        if not self.running:
            self.kill()
            self._process = STARTER.submit(self._spawn).result()

    def check(self) -> None:
        """Raise ChildError when it should run and does not."""
        if self._process is not None and self._process.poll() is not None:
            raise ChildError(f"{self.name} ended with code {self._process.returncode}:\n{self._tail()}")

    def wait(self, timeout: float) -> int:
        """Wait until it ends by itself; its exit code. subprocess.TimeoutExpired when it does not."""
        if self._process is None:
            raise ChildError(f"{self.name} was never started")
        return self._process.wait(timeout)

    def kill(self) -> None:
        """End it at once (SIGKILL) and reap it; nothing to do when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*DIES_WITH_US, *self.command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
