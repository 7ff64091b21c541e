"""The application: routes, errors, limits of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from headgate_api import problems
from headgate_api.doors import Doors
from headgate_api.parts import Parts
from headgate_api.routes import health, queues
from headgate_api.settings import Settings
from headgate_api.tokens import TokenFile

DESCRIPTION = """Jobs, queues, gates and limits of one store. Every error is a problem document (RFC 9457)."""


def create_app(settings: Settings) -> FastAPI:
    """Raises InvalidInput when the tokens cannot be read. The store is dialled at the first request that needs it."""
    parts = Parts(settings, Doors(settings.store_url, settings.prefix), TokenFile(settings.tokens_file))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.doors.close()

    app = FastAPI(
        title="Headgate",
        version=version("headgate"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    problems.install(app)
    for router in (health.router, queues.router):
        app.include_router(router)
    return app
