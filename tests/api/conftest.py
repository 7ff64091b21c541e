"""The service over a real store, reached without a socket."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI

from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import BudgetDocument, BudgetShare, JobRules, QueueDocument, RateDocument
from headgate_api.app import create_app
from headgate_api.gate.store_url import StoreUrl
from headgate_api.settings import Settings

TOKENS = {"reader": "read", "producer": "read,enqueue", "operator": "operate", "edge": "proxy"}
"""Each token is its name: `Authorization: Bearer reader`."""
OWNER = Owner("shop/emails", "uid-1", 1)


def line(token: str, scopes: str) -> str:
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()} {scopes} {token}\n"


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("# who may what\n" + "".join(line(token, scopes) for token, scopes in TOKENS.items()))
    return path


@pytest.fixture
def settings(valkey_url: str, tokens_file: Path) -> Settings:
    return Settings(StoreUrl(valkey_url), tokens_file, surface="")


@pytest.fixture
def raw(valkey_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture
def door(valkey_url: str) -> Iterator[Door]:
    with contextlib.closing(Door(valkey_url)) as opened:
        yield opened


@pytest.fixture
def emails(door: Door) -> QueueDocument:
    """A published queue with a budget: total 2, 100 starts a second, one function, backlog 3."""
    document = QueueDocument(
        queue="emails",
        total=2,
        rate_total=RateDocument(limit=100, period_ms=1000),
        backlog=3,
        budgets=(BudgetShare(name="shop/smtp"),),
        jobs=JobRules(functions=("mail.send",), payload="Plain"),
    )
    door.publish(BudgetDocument(name="shop/smtp", total=20), Owner("shop/smtp", "uid-2", 1))
    door.publish(document, OWNER)
    return document


class Api:
    """Requests as somebody: `api.get("reader", "/v1/queues")`."""

    def __init__(self, client: httpx.AsyncClient, app: FastAPI) -> None:
        self.client, self.app = client, app

    async def send(self, method: str, token: str | None, path: str, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=headers, **options)

    async def get(self, token: str | None, path: str, **options: Any) -> httpx.Response:
        return await self.send("GET", token, path, **options)

    async def post(self, token: str | None, path: str, **options: Any) -> httpx.Response:
        return await self.send("POST", token, path, **options)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield Api(client, app)
