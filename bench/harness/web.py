"""HTTP servers and a load on them: uvicorn in one process each, wrk beside them."""

from __future__ import annotations

import re
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.peers.peer import ROOT
from tests.cluster.child import Child
from tests.processes import tree
from tests.processes.store import Store
from tests.stores import free_port

CONNECTIONS = 16
SCRIPT = """
local n = 0
request = function()
  n = n + 1
  local who = n % {identities}
  local address = "10.1." .. math.floor(who / 250) .. "." .. who % 250
  local headers = {{ ["X-Forwarded-For"] = address, ["X-User"] = "u" .. who, ["X-Key"] = "k" .. who }}
  return wrk.format("GET", "/items/1", headers)
end
done = function(summary, latency, requests)
  local errors = summary.errors
  local wrong = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("figures %d %d %d %d %d\\n", summary.requests, summary.duration, wrong,
    latency:percentile(50), latency:percentile(99)))
end
"""


class LoadMissing(Exception):
    """wrk is not installed."""


@dataclass(frozen=True)
class Served:
    """What one load found. Times in us. `refused`: answers that were not 2xx or 3xx, and broken connections."""

    requests: int
    seconds: float
    refused: int
    p50_us: int
    p99_us: int
    server_us: float
    store_us: float
    scripts: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class WebServer:
    """uvicorn with httptools and uvloop, one process, started at once."""

    def __init__(self, folder: Path, name: str, env: Mapping[str, str]) -> None:
        self.port = free_port()
        pairs = [f"{key}={value}" for key, value in env.items()]
        command = ["env", f"PYTHONPATH={ROOT}", *pairs, sys.executable, "-m", "uvicorn", "bench.apps.web:app"]
        flags = ["--port", str(self.port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        self.child = Child(name, [*command, *flags, "--log-level", "warning", "--no-proxy-headers"], folder)
        self.child.start()

    def ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            self.child.check()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def load(server: WebServer, store: Store, folder: Path, seconds: int, identities: int) -> Served:
    """wrk with one thread and `CONNECTIONS`, each request as one of `identities`."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadMissing("wrk is missing: install Debian's package wrk")
    script = folder / f"load-{identities}.lua"
    script.write_text(SCRIPT.format(identities=identities))
    pid = server.child.pid
    assert pid is not None
    with store.client() as client:
        client.config_resetstat()
        before, of_store = tree.cpu_seconds([pid]), tree.cpu_seconds([store.pid])
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", str(script), "--latency"]
        child = Child("wrk", [*command, f"http://127.0.0.1:{server.port}"], folder)
        child.log.unlink(missing_ok=True)
        child.start()
        child.wait(seconds + 30)
        spent, of_store = tree.cpu_seconds([pid]) - before, tree.cpu_seconds([store.pid]) - of_store
        scripts = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
    found = re.search(r"figures (\d+) (\d+) (\d+) (\d+) (\d+)", child.log.read_text())
    assert found is not None, child.log.read_text()
    requests, us, refused, p50, p99 = map(int, found.groups())
    each = 1e6 / requests
    return Served(requests, us / 1e6, refused, p50, p99, spent * each, of_store * each, scripts / requests)
