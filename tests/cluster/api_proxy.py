"""A proxy in front of the real API server: it sees every request of one client, and can kill it or lie to it.

Plain HTTP on loopback inside, TLS to the API server; the client's own token passes through, so RBAC is the real one.
It runs in a thread of its own, because tests block.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientConnectionError, ClientResponse, ClientSession, TCPConnector, web

PASSED_ON = ("Authorization", "Content-Type", "Accept", "User-Agent")


@dataclass
class Request:
    """`at`: monotonic seconds of its arrival. `path` has no query. `status`: of the answer, 0 before it."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    status: int = 0

    @property
    def writes(self) -> bool:
        """Whether it would store something."""
        return self.method != "GET" and "dryRun" not in self.query

    @property
    def is_lease(self) -> bool:
        return "/leases" in self.path


class ApiProxy:
    """`url`: where the client connects. `requests`: what it asked, in order of arrival.

    `on_write(request, number)` is called when the API server has done the `number`-th write (1, 2, ...; Leases are not
    counted) and before the client hears of it. `answer(request)` may give (status, body) instead of asking the server,
    with the header Retry-After when `retry_after` is set.
    """

    def __init__(self, server: str, certificate: Path) -> None:
        self.requests: list[Request] = []
        self.on_write: Callable[[Request, int], None] | None = None
        self.answer: Callable[[Request], tuple[int, bytes] | None] | None = None
        self.retry_after = ""
        self._streams: set[ClientResponse] = set()
        self.url = ""
        self._server = server
        self._certificate = certificate
        self._writes = 0
        self._session: ClientSession
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the proxy did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._loop.close()

    def count_writes_from_here(self) -> None:
        self._writes = 0

    def drop_streams(self) -> None:
        """End all watches that are open now."""
        self._loop.call_soon_threadsafe(lambda: [each.close() for each in list(self._streams)])

    async def _run(self) -> None:
        connector = TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=str(self._certificate)))
        async with ClientSession(connector=connector, auto_decompress=False) as session:
            app = web.Application(client_max_size=8 << 20)
            self._session = session
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._ready.set()
            await self._stopping.wait()
            await runner.cleanup()
        await asyncio.sleep(0.2)  # TLS connections say good-bye after `close` has returned

    async def _handle(self, asked: web.Request) -> web.StreamResponse:
        request = Request(time.monotonic(), asked.method, asked.path, dict(asked.query))
        self.requests.append(request)
        lie = self.answer(request) if self.answer else None
        if lie:
            told = {"Retry-After": self.retry_after} if self.retry_after else {}
            return web.Response(status=lie[0], body=lie[1], headers=told, content_type="application/json")
        headers = {name: asked.headers[name] for name in PASSED_ON if name in asked.headers}
        url = f"{self._server}{asked.raw_path}"
        async with self._session.request(
            asked.method, url, headers=headers, data=await asked.read() or None
        ) as answered:
            request.status = answered.status
            response = web.StreamResponse(status=answered.status)
            for name in ("Content-Type", "Retry-After"):
                if name in answered.headers:
                    response.headers[name] = answered.headers[name]
            if request.writes and not request.is_lease:
                self._writes += 1
                if self.on_write:
                    self.on_write(request, self._writes)
            with contextlib.suppress(ClientConnectionError):  # the client was killed, or its stream dropped
                await response.prepare(asked)
                self._streams.add(answered)
                async for chunk in answered.content.iter_any():
                    await response.write(chunk)
            self._streams.discard(answered)
            return response


@contextmanager
def api_proxy(server: str, certificate: Path) -> Iterator[ApiProxy]:
    proxy = ApiProxy(server, certificate)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
