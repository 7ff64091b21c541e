"""Requests byte for byte as an attacker writes them: no client library that would put a path in order."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` in lower case, the last of a name."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(port: int, target: str, address: str = "127.0.0.1", headers: Headers = (), method: str = "GET") -> Answer:
    """One request from a loopback address, on a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    with socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0)) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in rest if ": " in line)
    return Answer(int(first.split()[1]), {name.lower(): value for name, value in fields.items()}, body)
