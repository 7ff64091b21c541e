"""The supervisor's end of the template process: starts it, asks it for children, starts it again when it dies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence

from headgate.gates import client
from headgate_worker import logs
from headgate_worker.cells import Cells
from headgate_worker.channel import Channel, Message
from headgate_worker.loop import Loop
from headgate_worker.settings import Settings, child_environment

Forked = Callable[[int], None]
"""Told the pid of the new child."""


class Nursery:
    """`ready` is called each time a template has imported the application, `failed` when the first one could not."""

    def __init__(self, settings: Settings, cells: Cells, loop: Loop) -> None:
        self._settings = settings
        self._cells = cells
        self._loop = loop
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: dict[str, Forked] = {}
        self._waits = client.backoff()
        self._was_ready = False
        self.is_ready = False
        self.closing = False
        self.modules: Sequence[str] = ()
        self.ready: Callable[[], None] = lambda: None
        self.failed: Callable[[str], None] = lambda _sentence: None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "headgate_worker.template"]
            fds = (theirs.fileno(), self._cells.fd)
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, *map(str, fds), str(os.getpid())],
                pass_fds=fds,
                env=child_environment(self._settings),
                start_new_session=True,
            )
        self._channel = Channel(ours)
        self._channel.send({"settings": self._settings.to_json(), "modules": list(self.modules)})
        self._loop.watch(self._channel, self._read)

    def fork(self, request: Message, forked: Forked) -> Channel | None:
        """Ask for a child. Our end of its channel, None while there is no template (ask again at `ready`)."""
        if not self.is_ready or self._channel is None:
            return None
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._channel.sock, [json.dumps(request).encode() + b"\n"], [theirs.fileno()])
            except OSError:
                ours.close()
                return None
        self._asked[request["key"]] = forked
        return Channel(ours)

    def close(self) -> None:
        """The template ends when its channel does."""
        self.closing = True
        if self._channel is not None:
            self._loop.forget(self._channel)
            self._channel.close()

    def exited(self, pid: int) -> bool:
        """Whether `pid` was the template; then the next one is started."""
        if self._process is None or pid != self._process.pid:
            return False
        self._process.returncode = 0  # reaped by the supervisor's own wait
        self._process = None
        return True

    def _read(self) -> None:
        channel = self._channel
        if channel is None:
            return
        for message in channel.receive():
            if "forked" in message:
                forked = self._asked.pop(message["forked"], None)
                if forked is not None:
                    forked(message["pid"])
            elif "failed" in message:
                self._gone(message["failed"])
                return
            elif "ready" in message:
                self._was_ready = self.is_ready = True
                self._waits = client.backoff()
                self.ready()
        if channel.closed:
            self._gone("the template process ended")

    def _gone(self, sentence: str) -> None:
        if self._channel is not None:
            self._loop.forget(self._channel)
            self._channel.close()
        self._channel = None
        self.is_ready = False
        self._asked.clear()
        if self.closing:
            return
        if not self._was_ready:
            self.failed(sentence)
            return
        wait = next(self._waits)
        logs.get().error("no new slots until the template is back", error=sentence, seconds=round(wait, 2))
        self._loop.after(wait, self.start)
