"""When jobs were granted, as the store itself reports it: its MONITOR stream, read beside the system, not through it.

A grant is the command by which a job's hash becomes `started`, with the store's TIME as the granting script read it.
The stream stamps the command again, by the same clock: microseconds later, or milliseconds when the store's process
lost its core in between. Costs the store some of its speed: not for throughput.
"""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

STARTED = re.compile(
    rb'^\+(?P<seconds>\d+)\.(?P<micros>\d{6}) .*?"HSET" "[^"]*?:job:(?P<job>[^":]+)"'
    rb' "status" "started" "started_at" "(?P<at>[^"]+)"',
    re.IGNORECASE,
)
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Grant:
    """Nanoseconds of the store's wall clock: `at` the script's own time, `stamped` when the stream reported it."""

    job: str
    at: int
    stamped: int


class Grants:
    """Listens from `start` to `stop` and keeps every grant in order."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname or "127.0.0.1", place.port or 6379))
        self._thread = threading.Thread(target=self._listen, name="monitor", daemon=True)
        self.seen: list[Grant] = []

    def __enter__(self) -> Grants:
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def times(self, first_ns: int = 0, last_ns: int = 1 << 62) -> list[int]:
        """Grants from `first_ns` (included) to `last_ns`, in ns of the store's clock."""
        return [grant.at for grant in list(self.seen) if first_ns <= grant.at < last_ns]

    def _listen(self) -> None:
        rest = b""
        while chunk := self._socket.recv(CHUNK):
            *lines, rest = (rest + chunk).split(b"\r\n")
            for line in lines:
                if found := STARTED.match(line):
                    stamped = int(found["seconds"]) * 10**9 + int(found["micros"]) * 1000
                    self.seen.append(Grant(found["job"].decode(), _nanoseconds(found["at"].decode()), stamped))


def _nanoseconds(iso: str) -> int:
    """RQ's ISO form, which has microseconds."""
    return round(datetime.fromisoformat(iso).timestamp() * 1e6) * 1000
