"""The environment, read once: what is right, and one sentence for what is not."""

from pathlib import Path

import pytest

from headgate.errors import InvalidInput
from headgate_worker.main import check_rq
from headgate_worker.settings import Settings, current_store_url, load

GOOD = {"HEADGATE_QUEUE": "mail", "HEADGATE_STORE_URL": "redis://store:6379/0"}


def test_by_hand() -> None:
    settings = load(["mail"], {"REDIS_URL": "redis://localhost:6379/1"})
    assert (settings.queue, settings.store_url) == ("mail", "redis://localhost:6379/1")
    assert (settings.prefix, settings.deadline_seconds, settings.drain_seconds) == ("rq", 3600, 3600)
    assert (settings.port, settings.pod_ip, settings.recycle_above_mib) == (9180, "127.0.0.1", None)


def test_in_a_pod(tmp_path: Path) -> None:
    url = tmp_path / "url"
    url.write_text("rediss://:secret@store:6380/0\n")
    environ = {
        "HEADGATE_QUEUE": "campaigns",
        "HEADGATE_STORE_URL_FILE": str(url),
        "RQ_KEY_PREFIX": "{rq}",
        "HEADGATE_POD_NAME": "campaigns-worker-abc",
        "HEADGATE_POD_IP": "10.0.0.7",
        "HEADGATE_DRAIN_SECONDS": "0",
        "HEADGATE_DEADLINE_SECONDS": "60",
        "HEADGATE_RECYCLE_SLOT_ABOVE_MIB": "512",
        "HEADGATE_PRELOAD": "app.tasks, app.models,",
        "HEADGATE_LOG_FORMAT": "json",
        "HEADGATE_WEBHOOK_HOSTS": "hooks.example.com",
    }
    settings = load([], environ)
    assert settings.store_url == "rediss://:secret@store:6380/0"
    assert (settings.drain_seconds, settings.deadline_seconds, settings.recycle_above_mib) == (0, 60, 512)
    assert settings.preload == ("app.tasks", "app.models")
    assert Settings.from_json(settings.to_json()) == settings
    url.write_text("rediss://:rotated@store:6380/0")
    assert current_store_url(settings) == "rediss://:rotated@store:6380/0"
    url.unlink()
    assert current_store_url(settings) == "rediss://:secret@store:6380/0"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"HEADGATE_QUEUE": ""}, r"which queue\? run `headgate-worker QUEUE` or set HEADGATE_QUEUE"),
        ({"HEADGATE_QUEUE": "a b"}, "queue 'a b': 1 to 63 letters"),
        ({"HEADGATE_STORE_URL": ""}, r"where is the store\?"),
        ({"HEADGATE_STORE_URL": "http://x"}, "must begin with redis://"),
        ({"HEADGATE_STORE_URL_FILE": "/nowhere/url"}, "HEADGATE_STORE_URL_FILE=/nowhere/url: No such file"),
        ({"HEADGATE_DRAIN_SECONDS": "soon"}, "HEADGATE_DRAIN_SECONDS='soon': a whole number of at least 0"),
        ({"HEADGATE_DEADLINE_SECONDS": "0"}, "HEADGATE_DEADLINE_SECONDS='0': a whole number of at least 1"),
        ({"HEADGATE_METRICS_PORT": "70000"}, "HEADGATE_METRICS_PORT='70000': a whole number from 0 to 65535"),
        ({"HEADGATE_LOG_FORMAT": "xml"}, "HEADGATE_LOG_FORMAT='xml': one of text, json"),
        ({"RQ_KEY_PREFIX": "a b"}, "RQ_KEY_PREFIX='a b'"),
    ],
)
def test_one_sentence_for_each_mistake(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        load([], {**GOOD, **change})


def test_two_queues() -> None:
    with pytest.raises(InvalidInput, match="one queue, not 2: a b"):
        load(["a", "b"], GOOD)


@pytest.mark.parametrize(("found", "good"), [("3.0.0", True), ("3.0.9", True), ("3.1.0", False), ("2.12.0", False)])
def test_rq_versions(found: str, good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate_worker.main.version", lambda _name: found)
    if good:
        check_rq()
        return
    with pytest.raises(InvalidInput, match=rf"rq {found} is installed, this worker needs rq>=3\.0,<3\.1"):
        check_rq()
