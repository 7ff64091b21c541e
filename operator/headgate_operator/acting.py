"""What the leader does: watch, reconcile, and at the end put down what is in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from headgate.control.controller import Controller
from headgate.control.ports import QUEUE_POLICY, SUBJECTS
from headgate.control.stores import Site
from headgate.errors import ClusterError
from headgate_operator.cluster import ApiServer, NotFound
from headgate_operator.health import Health
from headgate_operator.live_cluster import LiveCluster
from headgate_operator.metrics import Metrics
from headgate_operator.queue_metrics import QueueMetrics
from headgate_operator.settings import Settings
from headgate_operator.site import survey
from headgate_operator.stores import MountedStore
from headgate_operator.telemetry import OperatorTelemetry, SystemClock
from headgate_operator.watching import Watches

LOOK_AGAIN_SECONDS = 2.0
WATCHES_END_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Acting:
    """First `prepare`, then `run`, then `close`.

    `may_write` is false as soon as the Lease is lost; `take_signals` undoes what kopf does to signal handlers.
    """

    def __init__(
        self,
        api: ApiServer,
        settings: Settings,
        metrics: Metrics,
        health: Health,
        may_write: Callable[[], bool],
        take_signals: Callable[[], None],
    ) -> None:
        self._api, self._settings, self._metrics, self._health = api, settings, metrics, health
        self._may_write, self._take_signals = may_write, take_signals
        self._stores = {
            entry.name: MountedStore(entry.name, settings.stores.url_files[entry.name], entry.key_prefix, metrics)
            for entry in settings.stores.stores
        }
        self._site: Site | None = None

    async def prepare(self) -> None:
        """Wait for the CRDs and find out where we are. Raises ClusterError, InvalidInput."""
        await crds_are_served(self._api)
        self._site = await survey(self._api, self._settings)

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then no new key is taken and what is in hand ends. Raises what ended it before that."""
        controller = self._controller()
        watches = Watches(self._api, self._settings.namespaces, controller.changed, self._take_signals)
        watching = asyncio.create_task(watches.run())
        reconciling = asyncio.create_task(controller.run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([watching, reconciling, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        watches.stop()
        await asyncio.wait([watching], timeout=WATCHES_END_SECONDS)
        controller.stop()
        await reconciling
        if watching.done():
            watching.result()
        else:
            watching.cancel()

    def _controller(self) -> Controller:
        if self._site is None:
            raise RuntimeError("prepare comes before run")
        controller = Controller(
            LiveCluster(self._api, self._metrics, namespaces=self._settings.namespaces, may_write=self._may_write),
            self._stores,
            self._site,
            SystemClock(),
            telemetry=OperatorTelemetry(self._metrics, self._health),
            workers=self._settings.workers,
            resync_seconds=self._settings.resync_seconds,
        )
        queues = QueueMetrics(controller.pictures.all, controller.autoscaler.wanted, self._site.cluster_id)
        self._metrics.tables.append(queues.families)
        for name in self._stores:
            self._metrics.quarantines.labels(store=name)  # from 0, or the first one would be no increase
        self._metrics.watch_queue(lambda: controller.queue.depth, controller.queue.oldest_seconds)
        self._health.watch_queue(controller.queue.oldest_seconds)
        return controller


async def crds_are_served(api: ApiServer) -> None:
    """Wait for our kinds to appear in discovery: whoever starts too early would watch nothing, for ever."""
    told, plurals = False, {kind.plural for kind in SUBJECTS}
    while True:
        try:
            found = await api.call("GET", f"/apis/{QUEUE_POLICY.group}/{QUEUE_POLICY.version}", resource="discovery")
            missing = plurals - {each["name"] for each in found["resources"]}
        except NotFound:
            missing = plurals
        except ClusterError as error:
            log.warning("Cannot read which kinds are served", problem=str(error))
            missing = {"unknown"}
        if not missing:
            return
        if not told:
            log.warning("Waiting for the CRDs: apply deploy/crds", missing=sorted(missing))
            told = True
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
