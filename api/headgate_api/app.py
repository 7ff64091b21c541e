"""The application: routes, errors, limits of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from headgate_api import own_limits, problems, statistics
from headgate_api.dashboard import routes as dashboard
from headgate_api.doors import Doors
from headgate_api.parts import Parts
from headgate_api.proxies import Proxies
from headgate_api.routes import admin, authz, dead, health, jobs, overrides, periodic, queues, surfaces
from headgate_api.routes.rq_store import RqStore
from headgate_api.settings import Settings
from headgate_api.tokens import TokenFile

DESCRIPTION = """Jobs, queues, gates and limits of one store. Every error is a problem document (RFC 9457). Times are
milliseconds since the epoch, of the store's clock."""
ROUTERS = (queues, jobs, dead, overrides, periodic, surfaces, admin, authz, health)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    yield
    app.state.feed.close()
    await parts.panels.close()
    await parts.proxies.close()
    await parts.doors.close()
    parts.rq.close()


def create_app(settings: Settings) -> FastAPI:
    """Raises InvalidInput when the tokens cannot be read. The store is dialled at the first request that needs it."""
    doors = Doors(settings.store_url, settings.prefix)
    parts = Parts(
        settings=settings,
        doors=doors,
        rq=RqStore(settings.store_url),
        tokens=TokenFile(settings.tokens_file),
        panels=statistics.panels(doors),
        proxies=Proxies(settings),
    )
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
    for routes in ROUTERS:
        app.include_router(routes.router)
    dashboard.install(app, parts)
    if settings.surface:
        own_limits.install(app, parts)
    return app
