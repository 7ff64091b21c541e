"""The worker's numbers for Prometheus, read from the slots' cells when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from headgate_worker.casualties import Casualties
from headgate_worker.cells import MOST_SLOTS, SECONDS_BUCKETS, Cells, Word
from headgate_worker.deadlines import Deadlines
from headgate_worker.heartbeat import Heartbeat
from headgate_worker.memory import Memory
from headgate_worker.memory_hold import MemoryHold
from headgate_worker.processes import private_bytes, rss_bytes
from headgate_worker.slots import Slots
from headgate_worker.store_link import StoreLink
from headgate_worker.waiting import Waiting

_OUTCOMES = {
    "ok": Word.SUCCEEDED, "failed": Word.FAILED, "limited": Word.DEFERRED, "lost": Word.LOST, "returned": Word.RETURNED,
}  # fmt: skip


@dataclass(slots=True)
class Parts:
    """Where the numbers are."""

    queue: str
    cells: Cells
    slots: Slots
    waiting: Waiting
    heartbeat: Heartbeat
    casualties: Casualties
    deadlines: Deadlines
    memory: Memory
    hold: MemoryHold
    link: StoreLink
    revision: Callable[[], int]


class Metrics(Collector):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._jobs()
        yield from self._slots()
        yield from self._faults()

    def _sum(self, word: int) -> int:
        cells = self._parts.cells
        return sum(
            cells.slot(index).words[word] for index in range(MOST_SLOTS) if cells.slot(index).words[Word.GRANTED]
        )

    def _jobs(self) -> Iterator[Metric]:
        queue = self._parts.queue
        started = CounterMetricFamily("headgate_jobs_started", "Jobs granted to this worker", labels=["queue"])
        started.add_metric([queue], self._sum(Word.GRANTED))
        yield started
        ended = CounterMetricFamily("headgate_jobs_finished", "Jobs by outcome", labels=["queue", "outcome"])
        for outcome, word in _OUTCOMES.items():
            ended.add_metric([queue, outcome], self._sum(word))
        yield ended
        trips = CounterMetricFamily("headgate_round_trips", "Round trips of slots to the store", labels=["queue"])
        trips.add_metric([queue], self._sum(Word.TRIPS))
        yield trips
        yield self._histogram("headgate_job_seconds", "How long jobs run", Word.JOB_BUCKETS, Word.JOB_US)
        yield self._histogram("headgate_wait_seconds", "From enqueue to start", Word.WAIT_BUCKETS, Word.WAIT_US)

    def _histogram(self, name: str, text: str, first: Word, total: Word) -> Metric:
        family = HistogramMetricFamily(name, text, labels=["queue"])
        counts = [self._sum(first + index) for index in range(len(SECONDS_BUCKETS) + 1)]
        bounds = [*map(str, SECONDS_BUCKETS), "+Inf"]
        buckets = [(bound, float(sum(counts[: index + 1]))) for index, bound in enumerate(bounds)]
        family.add_metric([self._parts.queue], buckets, self._sum(total) / 1e6)
        return family

    def _slots(self) -> Iterator[Metric]:
        parts = self._parts
        yield GaugeMetricFamily("headgate_slots", "Slots that are up", value=len(parts.slots.alive()))
        yield GaugeMetricFamily("headgate_slots_busy", "Slots that run a job", value=len(parts.slots.busy()))
        yield GaugeMetricFamily("headgate_policy_revision", "Policy in use", value=parts.revision())
        memory = GaugeMetricFamily("headgate_slot_memory_bytes", "Memory of a slot", labels=["slot", "kind"])
        for slot in parts.slots.alive():
            memory.add_metric([str(slot.index), "resident"], rss_bytes(slot.pid))
            memory.add_metric([str(slot.index), "private"], private_bytes(slot.pid))
        yield memory
        yield GaugeMetricFamily(
            "headgate_memory_hold", "1 while nothing starts for want of memory", value=float(parts.hold.held)
        )
        if parts.hold.memory:
            pod = GaugeMetricFamily(
                "headgate_pod_memory_bytes", "Working set of the pod and its limit", labels=["kind"]
            )
            pod.add_metric(["used"], parts.hold.memory.used)
            pod.add_metric(["limit"], parts.hold.memory.limit)
            yield pod

    def _faults(self) -> Iterator[Metric]:
        parts = self._parts
        refused = CounterMetricFamily("headgate_claims_refused", "Claims refused, by gate", labels=["blocker"])
        for blocker, count in list(parts.waiting.refused.items()):
            refused.add_metric([blocker], count)
        yield refused
        rescued = CounterMetricFamily("headgate_jobs_rescued", "Jobs taken from dead processes", labels=["reason"])
        for reason, count in list(parts.casualties.rescued.items()):
            rescued.add_metric([reason], count)
        yield rescued
        yield CounterMetricFamily(
            "headgate_leases_lost", "Jobs stopped for a lost lease", value=parts.heartbeat.leases_lost
        )
        yield CounterMetricFamily(
            "headgate_jobs_killed", "Jobs that ignored their timeout", value=parts.deadlines.killed
        )
        yield CounterMetricFamily(
            "headgate_slots_recycled", "Slots replaced for memory", value=parts.memory.recycled + parts.hold.replaced
        )
        yield CounterMetricFamily("headgate_store_errors", "Failed calls to the store", value=parts.link.errors)
        yield GaugeMetricFamily("headgate_store_up", "1 while the store answers", value=float(parts.link.up))
