"""A proxy before a store that hurts the n-th script call: request lost, reply lost, or sent twice."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit

Harm = Literal["request lost", "reply lost", "sent twice"]


def command_end(data: bytes) -> int:
    """Where the first RESP command in `data` ends; 0 while it is not whole."""
    head, sep, _ = data.partition(b"\r\n")
    if not sep:
        return 0
    at = len(head) + 2
    for _ in range(int(head[1:])):
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return 0
        at = line_end + 2 + int(data[at + 1 : line_end]) + 2
    return at if at <= len(data) else 0


class Proxy:
    """Listens on a loopback port. `harms`: number of a script call (from 0, retries count) -> its harm."""

    def __init__(self, url: str, harms: dict[int, Harm] | None = None) -> None:
        target = urlsplit(url)
        self._target = (target.hostname, target.port)
        self.harms = harms or {}
        self.calls = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for item in self._sockets:
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for item in (client, server):
                    item.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [client, server]
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client, server:
            pending = b""
            while data := client.recv(65536):
                pending += data
                while end := command_end(pending):
                    command, pending = pending[:end], pending[end:]
                    if not self._forward(command, client, server):
                        return

    def _forward(self, command: bytes, client: socket.socket, server: socket.socket) -> bool:
        """One command and its reply. False: the connection is cut."""
        harm: Harm | None = None
        if b"EVALSHA" in command[:40]:
            harm = self.harms.get(self.calls)
            self.calls += 1
        if harm == "request lost":
            return False
        if harm == "sent twice":
            server.sendall(command)
            self._reply(server)
        server.sendall(command)
        reply = self._reply(server)
        if harm == "reply lost":
            return False
        client.sendall(reply)
        return True

    @staticmethod
    def _reply(server: socket.socket) -> bytes:
        import hiredis

        reader, raw = hiredis.Reader(), b""
        while reader.gets() is False:
            data = server.recv(65536)
            if not data:
                raise ConnectionResetError
            reader.feed(data)
            raw += data
        return raw
