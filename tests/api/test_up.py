"""`headgate up` serves the API: a job enqueued through it runs in a real worker, and everything ends with it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.store, pytest.mark.slow]
HEADGATE = Path(sys.executable).with_name("headgate")
SECONDS = 60.0
APP = "def add(a, b):\n    return {'sum': a + b}\n"
POLICY = """\
apiVersion: headgate.dev/v1alpha1
kind: QueuePolicy
metadata: {name: sums}
spec:
  concurrency: {perWorker: 1, total: 1}
  jobs: {functions: [tasks.add], payload: Plain}
"""


def until(holds, what):
    end = time.monotonic() + SECONDS
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, what()
        time.sleep(0.1)


@pytest.fixture
def up(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "sums.yaml").write_text(POLICY)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "tasks.py").write_text(APP)
    log = tmp_path / "up.log"
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(HEADGATE), "up", "policies", "--app", "app", "--port", "9191"],
            cwd=tmp_path,
            env=environment | {"COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    yield process, log
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_job_through_the_api_of_headgate_up(up):
    process, log = up
    found = until(lambda: re.search(r"dashboard: (http://\S+/)#token=(\S+)", log.read_text()), log.read_text)
    url, token = found.groups()
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        until(lambda: client.get("/v1/queues/sums").status_code == 200, log.read_text)
        answer = client.post("/v1/queues/sums/jobs", json={"function": "tasks.add", "args": [20, 22]})
        assert answer.status_code == 201, answer.text
        path = answer.headers["location"]
        until(lambda: client.get(path).json()["status"] == "finished", lambda: str(client.get(path).json()))
        assert client.get(path).json()["result"] == {"sum": 42}
        assert "<title>" in client.get("/").text
        assert httpx.get(f"{url}v1/queues").status_code == 401
        with client.stream("GET", "/events") as stream:
            assert next(stream.iter_lines()) == "retry: 2000"
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 0, log.read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
