"""The company's backend: `uvicorn --factory taskforce.backend:create_app`, or `:create_before` as it was.

One line puts the limits of policies/api.yaml in front of it. The admin page asks the database through panels, so each
question is asked once a minute however many look at the page; as it was, every look asked all of them.
"""

import asyncio
import hashlib
import hmac
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Query
from pydantic import BaseModel

from headgate_api.gate import GateMiddleware
from headgate_api.panels import Panel, Panels
from headgate_api.panels import Query as Asked
from taskforce.database import MOST_DAYS, Database

KEY = b"of the example only"
Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


class Login(BaseModel):
    name: str
    password: str


class Campaign(BaseModel):
    title: str


def token(name: str) -> str:
    """What a user sends as `Authorization: Bearer ...`: the name, and that we said so."""
    return f"{name}.{hmac.digest(KEY, name.encode(), 'sha256').hex()[:32]}"


def user_of(authorization: str) -> str | None:
    """The user whose token this is; None for nobody's."""
    name = authorization.removeprefix("Bearer ").rpartition(".")[0]
    return name if name and hmac.compare_digest(authorization, f"Bearer {token(name)}") else None


def user(scope: Mapping[str, Any]) -> str | None:
    """For the middleware, which counts some rules by user."""
    return user_of(next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), ""))


def create_app() -> FastAPI:
    """With limits, and an admin page that degrades panel by panel."""
    database = _database()
    panels = Panels(*(Panel(name, _computed(ask)) for name, ask in _questions(database).items()))
    app = FastAPI(title="taskforce")
    _routes(app)

    @app.get("/api/admin/statistics")
    async def statistics(days: Days = 30, size: bool = False) -> dict[str, Any]:
        shown = await panels.page(Asked(days=days, with_size=size))
        return {
            name: {"value": panel.value, "state": panel.freshness, "age": panel.age, "error": panel.error}
            for name, panel in shown.items()
        }

    app.add_middleware(GateMiddleware, surface="api", user=user)
    return app


def create_before() -> FastAPI:
    """As it was: no limits, and every look at the admin page reads the whole database several times."""
    database = _database()
    app = FastAPI(title="taskforce, before")
    _routes(app)

    @app.get("/api/admin/statistics")
    def statistics(days: Days = 30) -> dict[str, Any]:
        return {name: {"value": ask(days, True)} for name, ask in _questions(database).items()}

    return app


def _database() -> Database:
    return Database(Path(os.environ.get("TASKFORCE_DATABASE") or Path(tempfile.gettempdir()) / "taskforce.sqlite"))


def _questions(database: Database) -> dict[str, Callable[[int, bool], Any]]:
    """Panel -> question, given the days and whether the size is wanted."""
    return {
        "mails-per-day": lambda days, _: database.per_day(days),
        "mails-per-tenant": lambda days, _: database.per_tenant(days),
        "mails-by-state": lambda _days, _: database.states(),
        "database-size": lambda _, wanted: database.size() if wanted else None,
    }


def _computed(ask: Callable[[int, bool], Any]) -> Callable[[Asked], Any]:
    return lambda asked: asyncio.to_thread(ask, asked.days, asked.with_size)


def _routes(app: FastAPI) -> None:
    @app.get("/api/contacts")
    async def contacts() -> list[str]:
        return ["ada", "grace"]

    @app.post("/api/auth/login")
    async def login(given: Login) -> dict[str, str]:
        """The password of `ada` is `ada`, backwards: this is an example."""
        expected = hashlib.sha256(given.name[::-1].encode()).digest()
        if not hmac.compare_digest(expected, hashlib.sha256(given.password.encode()).digest()):
            raise HTTPException(401, "wrong name or password")
        return {"token": token(given.name)}

    @app.post("/api/campaigns", status_code=201)
    async def create(campaign: Campaign, authorization: Annotated[str, Header()] = "") -> dict[str, str]:
        return {"title": campaign.title, "by": _required(authorization)}

    @app.post("/api/campaigns/{campaign}/schedule", status_code=202)
    async def schedule(campaign: int, authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
        return {"campaign": campaign, "by": _required(authorization)}


def _required(authorization: str) -> str:
    name = user_of(authorization)
    if name is None:
        raise HTTPException(401, "who are you? log in first")
    return name
