"""What the dashboard costs: the size of an update, and the store's calls, of 200 queues and 1,000 slots."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import redis

from headgate.model.documents import QueueDocument, RateDocument
from headgate_api.dashboard.frames import changes, event
from headgate_api.dashboard.reading import Reader
from headgate_api.dashboard.snapshot import parts
from tests.dashboard.fleet import Fleet, wait_until
from tests.dashboard.served import serving

QUEUES, SLOTS = 200, 5
MOST_BYTES, MOST_CALLS = 100_000, 20


@pytest.fixture
def large(fleet: Fleet) -> Fleet:
    """200 queues, each with one worker of five slots, all busy, and work waiting."""
    for index in range(QUEUES):
        queue = f"tenant-{index:03d}-mailings"
        rate = RateDocument(limit=600, period_ms=60_000)
        fleet.declare(QueueDocument(queue=queue, per_worker=SLOTS, total=SLOTS, rate_total=rate))
        fleet.enqueue(queue, 2 * SLOTS, "taskforce.campaigns.send_batch")
        assert fleet.start(fleet.pod(queue, f"tenant-{index:03d}-mailings-worker-{index:08x}-a1b2c3", SLOTS)) == SLOTS
    return fleet


def test_one_update_of_200_queues_and_1000_slots_is_small(large: Fleet) -> None:
    reader = Reader()
    first = parts(reader.read(large.door))
    assert (len(first["queues"]), len(first["jobs"])) == (QUEUES, QUEUES * SLOTS)
    assert all(job[2] == "taskforce.campaigns.send_batch" and job[3] and job[4] for job in first["jobs"].values())
    for pod in large.pods:
        for slot in pod.slot_names():
            large.finish(pod, slot)
        large.start(pod)
        large.renew(pod)
    second = parts(reader.read(large.door))
    whole = event("full", "abc-1", {"meta": {}, "parts": first})
    everything = event("delta", "abc-2", {"meta": {}, "parts": changes(first, second)})
    quiet = event("delta", "abc-3", {"meta": {}, "parts": changes(second, parts(reader.read(large.door)))})
    print(*(f"{len(frame.plain)}/{len(frame.packed)}" for frame in (whole, everything, quiet)))
    assert len(whole.packed) <= MOST_BYTES
    assert len(everything.packed) <= MOST_BYTES, "every job and every worker is another"
    assert len(quiet.plain) <= 1_000


def test_50_viewers_cost_the_store_no_more_than_one(large: Fleet, valkey_url: str, tmp_path: Path) -> None:
    with serving(valkey_url, tmp_path) as address:
        seen = asyncio.run(_watched(address, valkey_url, 50, 5.0))
    print(seen)
    assert seen["updates"] >= 50 * 3, "each viewer was served"
    assert seen["calls"] / seen["seconds"] <= MOST_CALLS


async def _watched(address: str, store_url: str, viewers: int, seconds: float) -> Mapping[str, float]:
    seen = {"updates": 0.0, "calls": 0.0, "seconds": 0.0}

    async def watch() -> None:
        headers = {"Authorization": "Bearer lookout", "Accept-Encoding": "gzip"}
        async with (
            httpx.AsyncClient(timeout=10) as client,
            client.stream("GET", f"{address}/events", headers=headers) as got,
        ):
            assert got.headers["content-encoding"] == "gzip"
            async for line in got.aiter_lines():
                seen["updates"] += line.startswith("event: ")

    watching = [asyncio.create_task(watch()) for _ in range(viewers)]
    await asyncio.to_thread(wait_until, lambda: seen["updates"] >= viewers)
    counter = _Counter(store_url)
    seen["updates"], started = 0, time.monotonic()
    await asyncio.sleep(seconds)
    seen["calls"], seen["seconds"] = counter.stop(), time.monotonic() - started
    for one in watching:
        one.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return seen


class _Counter:
    """Calls that clients made, by MONITOR; what a script calls itself is no call."""

    def __init__(self, url: str) -> None:
        self._url, self._calls = url, 0
        self._client: redis.Redis = redis.Redis.from_url(url)
        started = threading.Event()
        self._thread = threading.Thread(target=self._count, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(5)

    def _count(self, started: threading.Event) -> None:
        with suppress(redis.ConnectionError, OSError, ValueError), self._client.monitor() as monitor:
            started.set()
            for command in monitor.listen():
                if command["command"].startswith("ECHO over"):
                    return
                self._calls += command["client_type"] != "lua"

    def stop(self) -> int:
        with redis.Redis.from_url(self._url) as other:
            other.echo("over")
        self._thread.join(5)
        self._client.close()
        return self._calls
