"""A small application to stand behind the gate: what the tests ask of it, in process and under uvicorn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, HTTPException, Request, WebSocket
from starlette.responses import PlainTextResponse, Response, StreamingResponse

app = FastAPI()
app.state.running = 0
app.state.ended = 0


@app.get("/items/{item}")
async def item(item: str) -> dict[str, str]:
    return {"item": item}


@app.get("/admin/panel")
async def admin() -> dict[str, str]:
    return {"panel": "yes"}


@app.post("/login")
async def login(request: Request) -> dict[str, str]:
    if await request.body() != b"right":
        raise HTTPException(401, "wrong password")
    return {"token": "t"}


@app.post("/upload")
async def upload(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@app.post("/parsed")
async def parsed(content: dict[str, str]) -> dict[str, int]:
    return {"fields": len(content)}


@app.get("/slow/{seconds}")
async def slow(seconds: float) -> PlainTextResponse:
    app.state.running += 1
    try:
        await asyncio.sleep(seconds)
    finally:
        app.state.running -= 1
        app.state.ended += 1
    return PlainTextResponse("slept")


@app.get("/thread/{seconds}")
def thread(seconds: float) -> PlainTextResponse:
    time.sleep(seconds)
    return PlainTextResponse("slept")


@app.get("/stubborn/{seconds}")
async def stubborn(seconds: float) -> PlainTextResponse:
    try:
        await asyncio.sleep(seconds)
    except BaseException as ending:
        app.state.ended += isinstance(ending, asyncio.CancelledError)
    return PlainTextResponse("late but there")


@app.get("/boom")
async def boom() -> None:
    raise RuntimeError("boom")


async def _drops(seconds: float, count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield f"data: {number}\n\n".encode()
        await asyncio.sleep(seconds)


@app.get("/events/{seconds}/{count}")
async def events(seconds: float, count: int) -> StreamingResponse:
    return StreamingResponse(_drops(seconds, count), media_type="text/event-stream")


@app.get("/drip/{seconds}/{count}")
async def drip(seconds: float, count: int) -> StreamingResponse:
    return StreamingResponse(_drops(seconds, count), media_type="text/plain")


@app.get("/status/{code}")
async def status(code: int) -> Response:
    return Response(status_code=code)


@app.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@app.websocket("/refused")
async def refused(websocket: WebSocket) -> None:
    await websocket.close()
