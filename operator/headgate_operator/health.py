"""`/healthz`, `/readyz` and `/metrics` on a port of their own. Neither answer depends on a store."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from headgate_operator.metrics import Metrics

LEASE_SILENCE_SECONDS = 30.0
"""A follower that has not heard about the Lease for so long could not take over."""
STUCK_SECONDS = 600.0
"""Twice the longest backoff of the work queue: a key that is due for so long waits for nobody."""


class Health:
    """What the two probes look at. Times are monotonic seconds."""

    def __init__(
        self,
        *,
        resync_seconds: float,
        lease_seen_at: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resync_seconds = resync_seconds
        self._lease_seen_at = lease_seen_at
        self._oldest_key_seconds: Callable[[], float] = lambda: 0.0
        self._now = now
        self._leading_since: float | None = None
        self._resynced_at: float | None = None

    def lead(self) -> None:
        self._leading_since = self._now()

    def watch_queue(self, oldest_key_seconds: Callable[[], float]) -> None:
        self._oldest_key_seconds = oldest_key_seconds

    def resynced(self) -> None:
        """A resync went through: everything was listed and put into the queue."""
        self._resynced_at = self._now()

    def wrong_with_life(self) -> str | None:
        """Why this process should be restarted, or None. A follower that can answer is alive."""
        if self._leading_since is None:
            return None
        silent = self._now() - (self._resynced_at or self._leading_since)
        if silent > 3 * self._resync_seconds + 60:
            return f"no resync went through for {silent:.0f} s"
        waiting = self._oldest_key_seconds()
        if waiting > STUCK_SECONDS:
            return f"a key waits for its reconcile for {waiting:.0f} s"
        return None

    def wrong_with_readiness(self) -> str | None:
        if self._leading_since is None:
            silent = self._now() - self._lease_seen_at()
            return f"the Lease was not read for {silent:.0f} s" if silent > LEASE_SILENCE_SECONDS else None
        if self._resynced_at is None:
            return "the first resync has not gone through yet"
        return self.wrong_with_life()


async def serve(host: str, port: int, health: Health, metrics: Metrics) -> web.AppRunner:
    """Start to listen; `cleanup()` of the answer stops it. Port 0 takes a free one. Raises OSError."""

    def probe(wrong: Callable[[], str | None]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_: web.Request) -> web.StreamResponse:
            why = wrong()
            return web.Response(status=503 if why else 200, text=f"{why or 'ok'}\n")

        return answer

    async def show(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.router.add_get("/healthz", probe(health.wrong_with_life))
    app.router.add_get("/readyz", probe(health.wrong_with_readiness))
    app.router.add_get("/metrics", show)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host or None, port).start()
    return runner
