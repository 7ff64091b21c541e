"""For probes and Prometheus. No token: keep this port inside, as any metrics port."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from headgate.errors import HeadgateError
from headgate.gates.door import Door
from headgate_api.parts import PartsOf
from headgate_api.problems import declared, response

router = APIRouter(tags=["health"], responses=declared(429))
READY_SECONDS = 2.0


@router.get("/healthz", response_class=PlainTextResponse, summary="Is the process alive")
async def healthz() -> str:
    """Never depends on the store."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, summary="Does the store answer", responses=declared(503))
async def readyz(parts: PartsOf) -> Response:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await parts.doors.do(Door.check)
    except (HeadgateError, TimeoutError):
        return response(503, "The store does not answer.", {"Retry-After": "2"})
    return PlainTextResponse("ready\n")


@router.get("/metrics", response_class=PlainTextResponse, summary="Prometheus' text format")
async def metrics() -> Response:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
