"""The template process: imports the application once, then forks a slot or the clerk whenever the supervisor asks.

It holds no connection to the store, runs no job, and freezes its heap, so that a fork takes milliseconds and its memory
stays shared. Started as `python -m headgate_worker.template CHANNEL_FD CELLS_FD SUPERVISOR_PID`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence

from headgate_worker import logs, processes
from headgate_worker.cells import Cells
from headgate_worker.channel import Channel, Message
from headgate_worker.settings import Settings


class Template:
    """What a forked child needs of its template: settings, cells, the supervisor's pid."""

    def __init__(self, channel: Channel, cells: Cells, supervisor: int, settings: Settings) -> None:
        self.channel = channel
        self.cells = cells
        self.supervisor = supervisor
        self.settings = settings
        self.orphans_adopted = sys.platform == "linux"

    def serve(self, child: Callable[[Template, Message, Channel], None]) -> None:
        """Fork for each request until the supervisor is gone. A request carries the child's end of its channel."""
        rest = b""
        while True:
            data, fds, _flags, _address = socket.recv_fds(self.channel.sock, 65536, 1)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line, fd in zip(lines, fds, strict=False):
                self._fork(line, fd, child)

    def _fork(self, line: bytes, fd: int, child: Callable[[Template, Message, Channel], None]) -> None:
        request: Message = json.loads(line)
        reader, writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            self._middle(request, fd, writer, child)
        os.close(writer)
        os.close(fd)
        with os.fdopen(reader, "rb") as file:
            pid = int(file.read() or b"0")
        os.waitpid(middle, 0)
        self.channel.send({"forked": request["key"], "pid": pid})

    def _middle(
        self, request: Message, fd: int, writer: int, child: Callable[[Template, Message, Channel], None]
    ) -> None:
        """Between template and child: ends at once, so that the supervisor becomes the child's parent."""
        middle = os.getpid()
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            os._exit(0)
        os.close(writer)
        code = 1
        try:
            self._become_child(middle)
            child(self, request, Channel(socket.socket(fileno=fd)))
            code = 0
        except BaseException:
            logs.get().exception("a child of the worker failed", child=request["key"])
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _become_child(self, middle: int) -> None:
        os.setpgid(0, 0)
        self.channel.sock.close()
        give_up = time.monotonic() + 5
        while os.getppid() == middle and time.monotonic() < give_up:
            time.sleep(0.0002)
        if self.orphans_adopted:
            processes.die_with_parent(self.supervisor)
        random.seed()


def ignore_stop_signals() -> None:
    """The supervisor decides when to stop, also when a terminal or systemd signals every process.

    Handlers, not SIG_IGN: what a job starts with exec gets the default back.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: None)


def preload(modules: Sequence[str], *, required: bool) -> str | None:
    """Import the application. The sentence about the first module that fails, None when all came."""
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:
            what = f"HEADGATE_PRELOAD={name}" if required else f"module {name} of jobs.functions"
            return f"{what} does not import: {type(error).__name__}: {error}"
    return None


def main(argv: Sequence[str]) -> int:
    channel_fd, cells_fd, supervisor = (int(text) for text in argv)
    processes.die_with_parent(supervisor)
    processes.name_process("hg-template")
    ignore_stop_signals()
    channel = Channel(socket.socket(fileno=channel_fd))
    messages = channel.receive(wait=True)
    if not messages:
        return 0
    first = messages[0]
    settings = Settings.from_json(first["settings"])
    logs.configure(settings.log_format, settings.log_level)
    sys.path.insert(0, os.getcwd())
    problem = preload(settings.preload, required=True)
    if problem:
        channel.send({"failed": problem})
        return 1
    problem = preload(first["modules"], required=False)
    if problem:
        logs.get().warning(problem)
    from headgate_worker import child
    from headgate_worker.warm import freeze, warm

    warm(settings.store_url, settings.prefix)
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        logs.get().warning("imported modules started threads, which do not survive a fork", threads=names)
    freeze()
    channel.send({"ready": True})
    Template(channel, Cells(cells_fd), supervisor, settings).serve(child.run)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
