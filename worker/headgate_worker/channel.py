"""Small messages between the supervisor and its children: one JSON object a line over a Unix socket."""

from __future__ import annotations

import json
import socket
from typing import Any

Message = dict[str, Any]
MOST_BYTES = 1 << 20
"""A child that sends a longer line is broken or hostile; its channel is closed."""


class Channel:
    """One end. `send` never blocks longer than the peer needs to drain a socket buffer; `receive` never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._rest = b""
        self.closed = False

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, message: Message) -> None:
        """A peer that is gone is not an error here: its end is seen by whoever waits for it."""
        try:
            self.sock.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except OSError:
            self.closed = True

    def receive(self, *, wait: bool = False) -> list[Message]:
        """All whole messages that are here; with `wait`, blocks for at least one byte. Sets `closed` at the end."""
        flags = 0 if wait else socket.MSG_DONTWAIT
        try:
            chunk = self.sock.recv(65536, flags)
        except BlockingIOError:
            return []
        except OSError:
            chunk = b""
        if not chunk:
            self.closed = True
            return []
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            self.closed = True
        return [message for line in lines if isinstance(message := _parse(line), dict)]

    def close(self) -> None:
        self.closed = True
        self.sock.close()


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
