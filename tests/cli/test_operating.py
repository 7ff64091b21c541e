"""top, pause, resume, dead and explain, through a real headgate-api on a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
import rq
import yaml
from rq.registry import FailedJobRegistry

from headgate.gates.door import Door
from headgate.gates.owners import Owner
from headgate.model.documents import QueueDocument
from headgate_api.tokens import new_token
from headgate_cli.commands.status import remote_text
from tests.stores import free_port

pytestmark = pytest.mark.store
Headgate = Callable[..., object]


@pytest.fixture
def url(valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A headgate-api with queue `mail` declared; the environment has a token that may operate."""
    token, line = new_token("operate", "ada")
    reader, other = new_token("read", "guest")
    (tmp_path / "tokens").write_text(f"{line}\n{other}\n")
    (tmp_path / "reader").write_text(reader)
    monkeypatch.setenv("HEADGATE_TOKEN", token)
    with closing(Door(valkey_url)) as door:
        door.publish(QueueDocument(queue="mail", total=2), Owner("shop/mail", "uid-1", 1))
    port = free_port()
    environment = {
        **os.environ,
        "HEADGATE_STORE_URL": valkey_url,
        "HEADGATE_TOKENS_FILE": str(tmp_path / "tokens"),
        "HEADGATE_PORT": str(port),
        "HEADGATE_SURFACE": "",
    }
    with subprocess.Popen([str(Path(sys.executable).with_name("headgate-api"))], env=environment) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{address}/readyz")
            yield address
        finally:
            server.terminate()


def wait_for(address: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310  our own server
                return
        except OSError:
            assert time.monotonic() < end, f"{address} never answered"
            time.sleep(0.05)


@pytest.fixture
def dead_job(valkey_url: str) -> Iterator[str]:
    with redis.Redis.from_url(valkey_url) as connection:
        queue = rq.Queue("mail", connection=connection)
        job = queue.enqueue("mail.send", "ada")
        queue.remove(job)
        job.set_status(rq.job.JobStatus.FAILED)
        FailedJobRegistry("mail", connection=connection).add(job, ttl=600, exc_string="ValueError: no such address")
        yield job.id


def test_pause_shows_in_explain_and_top_and_resume_ends_it(headgate: Headgate, url: str) -> None:
    said = headgate("pause", "mail", "--for", "15m", "--reason", "the provider is down", "--url", url)
    assert (said.code, said.out) == (0, "mail: paused for 15 min\n")
    explained = headgate("explain", "mail", "--url", url)
    assert explained.code == 0
    assert "held by stop" in explained.out
    top = headgate("top", "--once", "--url", url)
    assert "held by stop" in top.out
    assert headgate("resume", "mail", "--url", url).out == "mail: as its policy declares\n"
    assert "held by" not in headgate("explain", "mail", "--url", url).out


def test_status_and_override_ask_the_api_where_no_store_is_named(headgate: Headgate, url: str) -> None:
    shown = headgate("status", "--url", url)
    assert shown.code == 0
    assert "mail" in shown.out
    assert "nothing holds it" in shown.out
    said = headgate(
        "override", "mail", "--total", "1", "--rate", "5/2s", "--for", "2h", "--reason", "slow", "--url", url
    )
    assert (said.code, said.out) == (0, "mail: overridden for 2 h 0 min\n")
    found = yaml.safe_load(headgate("status", "-o", "yaml", "--url", url).out)
    (queue,) = found["queues"]
    assert queue["override"]["total"] == 1
    assert queue["override"]["rate_total"] == {"limit": 5, "period_seconds": 2}
    assert queue["override"]["by"] == "ada"
    assert {"surfaces", "tasks", "gates"} <= found.keys()
    assert headgate("override", "mail", "--clear", "--url", url).out == "mail: override ended\n"
    again = headgate("override", "mail", "--clear", "--url", url)
    assert (again.code, again.err) == (2, "Queue mail has no override.\n")


def test_status_by_the_api_warns_as_the_store_does() -> None:
    queue = {"queue": "mail", "running": 0, "queued": 1, "due": 0, "workers": [], "verdict": "held by quarantine"}
    found = {
        "now": 1_000, "quarantine_until": 13_000, "queues": [{**queue, "foreign_workers": ["old.1"]}], "surfaces": [],
        "tasks": [], "gates": {},
    }  # fmt: skip
    text = remote_text(found)
    assert "QUARANTINE: the store lost data or its clock, nothing starts for another 12 s" in text
    assert "NOT ENFORCED: old.1 takes jobs of mail past every gate" in text
    assert "QUARANTINE" not in remote_text({**found, "quarantine_until": 0})


def test_output_is_json_or_yaml_on_demand(headgate: Headgate, url: str) -> None:
    asked = json.loads(headgate("top", "-o", "json", "--url", url).out)
    assert [queue["queue"] for queue in asked["queues"]] == ["mail"]
    assert yaml.safe_load(headgate("top", "-o", "yaml", "--url", url).out)["queues"][0]["queue"] == "mail"
    refused = headgate("top", "-o", "xml", "--url", url)
    assert (refused.code, refused.err) == (2, "--output xml: text, json or yaml\n")


def test_the_dead_set_is_listed_requeued_and_deleted(headgate: Headgate, url: str, dead_job: str) -> None:
    listed = headgate("dead", "list", "--url", url)
    assert dead_job in listed.out
    assert listed.out.endswith("1 of 1\n")
    assert headgate("dead", "requeue", dead_job, "--url", url).out == f"{dead_job}: requeued\n"
    again = headgate("dead", "requeue", dead_job, "--url", url)
    assert again.code == 2
    assert headgate("dead", "list", "--queue", "mail", "--url", url).out == "0 of 0\n"


def test_a_dead_job_is_deleted(headgate: Headgate, url: str, dead_job: str) -> None:
    assert headgate("dead", "delete", dead_job, "--url", url).out == f"{dead_job}: deleted\n"
    assert headgate("dead", "list", "--url", url).out == "0 of 0\n"


def test_each_refusal_is_one_sentence_with_its_exit_code(headgate: Headgate, url: str, tmp_path: Path) -> None:
    may_not = headgate("pause", "mail", "--reason", "x", "--url", url, "--token-file", str(tmp_path / "reader"))
    assert may_not.code == 2
    assert may_not.err.startswith("this token may not do that: ")
    nowhere = headgate("pause", "nowhere", "--reason", "x", "--url", url)
    assert (nowhere.code, nowhere.err) == (2, "No policy declares queue nowhere in this store.\n")
    assert headgate("pause", "mail", "--url", url).err.startswith("--reason is needed")
    assert headgate("resume", "mail", "--url", url).err == "Queue mail has no override.\n"
    away = headgate("top", "--once", "--url", f"http://127.0.0.1:{free_port()}")
    assert away.code == 1
    assert "does not answer" in away.err
    assert headgate("top", "--url", "redis://x").err.startswith(
        "--url redis://x: the API's address begins with http://"
    )
    missing = headgate("top", "--once", "--url", url, "--token-file", str(tmp_path / "none"))
    assert missing.err.startswith(f"--token-file {tmp_path / 'none'}: No such file")


def test_without_a_token_the_api_asks_for_one(headgate: Headgate, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADGATE_TOKEN")
    refused = headgate("top", "--once", "--url", url)
    assert refused.code == 2
    assert "set HEADGATE_TOKEN or give --token-file" in refused.err


def test_where_no_kubectl_is_the_address_is_asked_for(headgate: Headgate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    refused = headgate("top", "--once")
    assert refused.code == 2
    assert refused.err.startswith("where is the API? give --url or set HEADGATE_URL")


def test_completion_is_there_for_the_three_shells(headgate: Headgate, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(sys.executable).with_name("headgate")
    for shell in ("bash", "zsh", "fish"):
        environment = {**os.environ, "_HEADGATE_COMPLETE": f"source_{shell}"}
        done = subprocess.run([str(program)], env=environment, capture_output=True, text=True, check=False)
        assert "headgate" in done.stdout
