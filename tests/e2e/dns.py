"""Names inside the cluster: `SERVICE.NAMESPACE.svc.cluster.local`, from the API server, on the host's end of the wire.

RFC 1035. A for a Service is its cluster address, of a headless one all of its pods'. Everything else does not exist.
While the API server is away the last answers hold, as those of a CoreDNS do.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

SUFFIX = ("svc", "cluster", "local")
A = 1
NO_ERROR, NO_NAME = 0, 3
TTL_SECONDS = 1


class Dns:
    """Serves UDP at `host`:53. `look_up(service, namespace)` gives addresses, None for no Service; OSError: later."""

    def __init__(self, host: str, look_up: Callable[[str, str], list[str] | None]) -> None:
        self._look_up = look_up
        self._last: dict[tuple[str, str], list[str] | None] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, sender = self._socket.recvfrom(4096)
            except OSError:
                return
            # Each in a thread: one slow answer of the API server holds nobody else up.
            threading.Thread(target=self._reply, args=(query, sender), daemon=True).start()

    def _reply(self, query: bytes, sender: tuple[str, int]) -> None:
        try:
            self._socket.sendto(self.answer(query), sender)
        except (OSError, ValueError, IndexError, struct.error):
            return

    def answer(self, query: bytes) -> bytes:
        labels, end = _name(query)
        kind = struct.unpack_from(">H", query, end)[0]
        found: list[str] | None = None
        if tuple(labels[-3:]) == SUFFIX and len(labels) == 5:
            found = self._find(labels[0], labels[1])
        addresses = found if found and kind == A else []
        code = NO_NAME if found is None else NO_ERROR
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(addresses), 0, 0)
        records = b"".join(
            struct.pack(">HHHIH", 0xC00C, A, 1, TTL_SECONDS, 4) + socket.inet_aton(address) for address in addresses
        )
        return head + query[12 : end + 4] + records

    def _find(self, service: str, namespace: str) -> list[str] | None:
        with suppress(OSError):
            self._last[service, namespace] = self._look_up(service, namespace)
        return self._last.get((service, namespace))


def _name(query: bytes) -> tuple[list[str], int]:
    """The labels of the first question, in lower case, and where its type begins."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii").lower())
        at += 1 + query[at]
    return labels, at + 1
