"""The service as a process of its own: its limits, a store that is away, and how it stops."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, HttpMatch, HttpRule, PathMatch, QueueDocument, RateDocument
from headgate_api.app import create_app
from headgate_api.gate.store_url import StoreUrl
from headgate_api.settings import Settings
from tests.api.server import serving
from tests.stores import StoreServer, free_port, valkey_binary

pytestmark = pytest.mark.store
READER = {"Authorization": "Bearer reader"}


def until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_it_limits_itself_by_default_and_by_policy(valkey_url, tokens_file, door):
    with serving(create_app(Settings(StoreUrl(valkey_url), tokens_file))) as url, httpx.Client(base_url=url) as client:
        assert client.get("/v1/queues", headers=READER).headers["ratelimit"].startswith('"requests";r=1199')
        assert "ratelimit" not in client.get("/healthz").headers
        rule = HttpRule(
            name="two", match=HttpMatch(paths=(PathMatch(value="/v1"),)), key="User",
            rate=RateDocument(limit=2, period_ms=60_000),
        )  # fmt: skip
        door.publish(HttpDocument(surface="headgate-api", rules=(rule,)), Owner("ops/api", "uid-5", 1))
        until(lambda: client.get("/v1/queues", headers=READER).status_code == 429)
        refused = client.get("/v1/queues", headers=READER)
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        other = {"Authorization": "Bearer operator"}
        assert [client.get("/v1/queues", headers=other).status_code for _ in range(3)] == [200, 200, 429]
        guesses = [client.get("/v1/queues", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(3)]
        assert guesses == [401, 401, 429]


def test_a_rule_for_everything_leaves_probes_and_proxies_alone(valkey_url, tokens_file, door):
    """Or its second probe would take the service out of the load balancer."""
    rule = HttpRule(name="all", key="Global", rate=RateDocument(limit=1, period_ms=60_000))
    door.publish(HttpDocument(surface="headgate-api", rules=(rule,)), Owner("ops/api", "uid-5", 1))
    with serving(create_app(Settings(StoreUrl(valkey_url), tokens_file))) as url, httpx.Client(base_url=url) as client:
        until(lambda: client.get("/v1/queues", headers=READER).status_code == 429)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert [client.get(path).status_code for _ in range(3)] == [200, 200, 200]
        assert client.get("/authz/nothing").status_code == 401
        assert client.post("/report").status_code == 401
        for path in ("/authz/../v1/queues", "//metrics", "/metrics/", "/authz"):
            assert client.get(path, headers=READER).status_code in (401, 404, 429), path


def test_bodies_are_limited(valkey_url, tokens_file, emails):
    producer = {"Authorization": "Bearer producer", "Content-Type": "application/json"}
    with serving(create_app(Settings(StoreUrl(valkey_url), tokens_file))) as url, httpx.Client(base_url=url) as client:
        answer = client.post("/v1/queues/emails/jobs", headers=producer, content=b"[" + b" " * 2_000_000 + b"]")
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")

        def endless():
            for _ in range(40):
                yield b" " * 65_536

        answer = client.post("/v1/queues/emails/jobs", headers=producer, content=endless())
        assert answer.status_code == 413


def test_a_store_that_is_away_is_503_with_retry_after_and_comes_back(tmp_path, tokens_file):
    store = StoreServer(valkey_binary(), tmp_path).start()
    try:
        opened = Door(store.url)
        opened.publish(QueueDocument(queue="emails"), Owner("shop/emails", "uid-1", 1))
        opened.close()
        with serving(create_app(Settings(StoreUrl(store.url), tokens_file))) as url:
            client = httpx.Client(base_url=url, headers=READER, timeout=30)
            assert client.get("/v1/queues").status_code == 200
            os.kill(store.pid, signal.SIGSTOP)
            time.sleep(0.6)
            answer = client.get("/v1/queues/emails/explain")
            assert (answer.status_code, answer.json()["detail"]) == (503, "The store does not answer.")
            assert int(answer.headers["retry-after"]) > 0
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
            page = client.get("/v1/admin/panels").json()["panels"]
            assert {panel["freshness"] for panel in page.values()} == {"missing"}
            os.kill(store.pid, signal.SIGCONT)
            until(lambda: client.get("/v1/queues/emails/explain").status_code == 200)
            client.close()
    finally:
        os.kill(store.pid, signal.SIGCONT)
        store.kill()


def test_as_a_process_it_stops_at_once_when_told(valkey_url, tokens_file, tmp_path):
    port = free_port()
    environ = {
        **os.environ, "HEADGATE_STORE_URL": valkey_url, "HEADGATE_TOKENS_FILE": str(tokens_file),
        "HEADGATE_PORT": str(port),
    }  # fmt: skip
    command = str(Path(sys.executable).with_name("headgate-api"))
    process = subprocess.Popen([command], env=environ, stderr=subprocess.PIPE)
    try:
        until(lambda: answers(port))
        with httpx.stream("GET", f"http://127.0.0.1:{port}/events", headers=READER) as stream:
            next(stream.iter_lines())
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()


def answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False
