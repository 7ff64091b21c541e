"""The life of one operator process: wait for the Lease, act while it is ours, leave in order.

Everything that writes happens inside the Lease. Whatever ends by itself ends the process, and the Lease with it: a
leader that is only half alive would renew for ever and do nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

from headgate.errors import InvalidInput
from headgate_operator.acting import Acting
from headgate_operator.cluster import ApiServer
from headgate_operator.health import Health, serve
from headgate_operator.leadership import Leadership, LeaseLost
from headgate_operator.metrics import Metrics
from headgate_operator.settings import Settings

log = structlog.get_logger(__name__)


class Operator:
    """`run` answers the exit code: 0 after a signal, 1 after anything else."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Raises InvalidInput for a configuration with which it cannot work."""
        settings = self._settings
        self._take_signals()
        api = await ApiServer.connect(settings.kubeconfig, self._metrics)
        leadership = Leadership(
            api, namespace=settings.lease_namespace, name=settings.lease_name, identity=settings.identity
        )
        health = Health(resync_seconds=settings.resync_seconds, lease_seen_at=lambda: leadership.seen_at)
        try:
            server = await serve(settings.host, settings.port, health, self._metrics)
        except OSError as error:
            await api.close()
            raise InvalidInput(f"HEADGATE_PORT is {settings.port}: cannot listen there ({error.strerror})") from error
        try:
            log.info("Serving health and metrics", port=server.addresses[0][1], identity=settings.identity)
            if not await self._unless_stopped(leadership.acquire()):
                return 0
            health.lead()
            return await self._lead(api, leadership, health)
        finally:
            await server.cleanup()
            await api.close()

    async def _lead(self, api: ApiServer, leadership: Leadership, health: Health) -> int:
        """Act until a signal comes or something ends. After a lost Lease nothing more may be written: no return."""
        self._metrics.leader.set(1)
        holding = asyncio.create_task(_hold(leadership))
        acting = Acting(api, self._settings, self._metrics, health, lambda: leadership.leading, self._take_signals)
        try:
            return await self._act(acting)
        finally:
            await acting.close()
            holding.cancel()
            self._metrics.leader.set(0)
            await leadership.release()
            log.info("Released the Lease")

    async def _act(self, acting: Acting) -> int:
        try:
            if await self._unless_stopped(acting.prepare()):
                await acting.run(self._stop)
        except InvalidInput:
            raise
        except Exception:
            log.exception("The operator ends")
            return 1
        return 0

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """True when the work ended, False when a signal came first."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            working.result()
            return True
        working.cancel()
        return False

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop.set)


async def _hold(leadership: Leadership) -> None:
    try:
        await leadership.hold()
    except LeaseLost as error:
        log.error("Lost the Lease, leaving at once", problem=str(error))
        os._exit(1)
