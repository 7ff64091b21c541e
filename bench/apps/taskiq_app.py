"""The same jobs for taskiq, on its two Redis brokers: `streams` acknowledges, `lists` pops."""

import os

import redis.asyncio
from taskiq_redis import ListQueueBroker, RedisStreamBroker

from bench.apps import jobs

URL = os.environ["BENCH_STORE_URL"]
streams = RedisStreamBroker(URL)
lists = ListQueueBroker(URL)
client = redis.asyncio.Redis.from_url(URL)


async def noop(number: int) -> None:
    jobs.noop(number)


async def incr(number: int) -> None:
    await client.incr("bench:incr")
    jobs.noop(number)


KINDS = {"noop": noop, "incr": incr}
TASKS = {
    broker: {name: broker.register_task(kind, f"bench:{name}") for name, kind in KINDS.items()}
    for broker in (streams, lists)
}
