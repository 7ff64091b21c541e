"""GET /healthz, /readyz and /metrics on the pod's own address. The only thread of the supervisor beside its loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answers:
    """`turned_at`: CLOCK_MONOTONIC seconds of the loop's last turn. Health never depends on the store."""

    turned_at: Callable[[], float]
    not_ready: Callable[[], str | None]
    metrics: Callable[[], bytes]

    def get(self, path: str) -> tuple[int, str, bytes]:
        if path == "/healthz":
            age = time.monotonic() - self.turned_at()
            return (
                (200, "text/plain", b"ok\n")
                if age < STALE_SECONDS
                else (503, "text/plain", f"no turn for {age:.0f} s\n".encode())
            )
        if path == "/readyz":
            problem = self.not_ready()
            return (503, "text/plain", problem.encode() + b"\n") if problem else (200, "text/plain", b"ready\n")
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self.metrics()
        return 404, "text/plain", b"/healthz, /readyz or /metrics\n"


def serve(address: str, port: int, answers: Answers) -> ThreadingHTTPServer:
    """Bind and answer in a daemon thread. Raises OSError when the address is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, content, body = answers.get(self.path.split("?", 1)[0])
            self.send_response(status)
            self.send_header("Content-Type", content)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Probes come every few seconds."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A prober that hangs up is no news."""

    server = Server((address, port), Handler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
