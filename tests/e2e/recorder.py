"""Who ran when, as the jobs themselves say it to somebody outside of the cluster: arrival on one monotonic clock."""

from __future__ import annotations

import socketserver
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from .node import HOST


@dataclass(frozen=True)
class Line:
    """`at`: seconds of the monotonic clock. `kind` S or E."""

    at: float
    kind: str
    job: str
    queue: str
    pod: str
    outcome: str


class Recorder:
    """Listens at `address` until `stop`. The job waits for its line to be written down before it goes on."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        lock = threading.Lock()
        lines = self.lines

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                text = self.rfile.readline().decode()
                with lock:
                    lines.append(Line(time.monotonic(), *text.split()))
                self.wfile.write(b".")

        socketserver.ThreadingTCPServer.daemon_threads = True
        self._server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self.address = f"{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, queue: str) -> list[Line]:
        return [line for line in list(self.lines) if line.queue == queue]

    def started(self, queue: str) -> int:
        return sum(line.kind == "S" for line in self.of(queue))

    def ended(self, queue: str) -> set[str]:
        return {line.job for line in self.of(queue) if line.kind == "E"}

    def starts(self, queue: str) -> dict[str, int]:
        """How often each job's code was started."""
        counted: dict[str, int] = defaultdict(int)
        for line in self.of(queue):
            counted[line.job] += line.kind == "S"
        return dict(counted)

    def most_at_once(self, queue: str, gone: dict[str, float] | None = None) -> int:
        """The most jobs whose code ran at once. `gone`: pod -> when all its processes had ended, for jobs cut short."""
        steps: list[tuple[float, int]] = []
        open_jobs: dict[tuple[str, str], Line] = {}
        for line in self.of(queue):
            key = (line.job, line.pod)
            if line.kind == "S":
                open_jobs[key] = line
                steps.append((line.at, 1))
            elif key in open_jobs:
                del open_jobs[key]
                steps.append((line.at, -1))
        for _, pod in open_jobs:
            if gone and pod in gone:
                steps.append((gone[pod], -1))
        now = most = 0
        for _, step in sorted(steps):
            now += step
            most = max(most, now)
        return most
