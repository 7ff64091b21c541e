"""A job and a backend that hold places of one budget. Each says in the notes when its own code starts and ends."""

from __future__ import annotations

import asyncio
import time

from fastapi import FastAPI
from taskforce.notes import noted

from headgate_api.gate import GateMiddleware


def work(seconds: float) -> None:
    with noted("job"):
        time.sleep(seconds)


def create_app() -> FastAPI:
    app = FastAPI()

    @app.get("/hold/{seconds}")
    async def hold(seconds: float) -> str:
        with noted("request"):
            await asyncio.sleep(seconds)
        return "done"

    app.add_middleware(GateMiddleware, surface="api")
    return app
