"""docs/http.md says what is: its policy is valid and does what the text claims, its code runs, its names exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from headgate.desired.documents import document_of
from headgate.model.parse import parse
from headgate_api.gate import middleware
from headgate_api.gate.metrics import COUNTS
from headgate_api.gate.store_url import StoreUrl
from tests.api.gate.asgi import call
from tests.api.gate.conftest import Publisher

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "http.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1)


async def test_its_policy_does_what_it_says(gate: Any, publish: Publisher) -> None:
    manifest = yaml.safe_load(block("yaml"))
    manifest["metadata"]["namespace"] = "ns"
    publish(document_of(parse(manifest)))
    app = await gate()
    found = [(await call(app, path="/admin/panel")).status for _ in range(31)]
    assert found == [200] * 30 + [429]
    refused = await call(app, path="/admin/panel")
    assert re.fullmatch(r'"general";r=70;t=\d+, "admin";r=0;t=\d+', refused.header("ratelimit"))
    example = re.search(r'{"type":.*?\["admin"\]}', TEXT, re.DOTALL)
    assert example is not None
    shape = re.sub(r"\d+ seconds", "N seconds", refused.body.decode())
    assert shape == re.sub(r"\d+ seconds", "N seconds", example.group().replace("\n ", ""))


def test_its_code_runs(monkeypatch: Any, valkey_url: str) -> None:
    monkeypatch.setattr(middleware.settings, "store_url", lambda: StoreUrl(valkey_url))
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102
    assert names["app"].user_middleware


def test_its_metrics_exist() -> None:
    named = set(re.findall(r"`(headgate_http_\w+)_total`", TEXT))
    assert named == {family.name for family in COUNTS.collect()}
