"""The jobs of the benchmarks: `noop` does nothing, `incr` one INCR on the store. Both tick the ledger."""

import mmap
import os

import redis

with open(os.environ["BENCH_LEDGER"], "r+b") as file:
    ledger = mmap.mmap(file.fileno(), 0)

_client: redis.Redis | None = None


def client() -> redis.Redis:
    """One connection a process, made at its first job."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(os.environ["BENCH_STORE_URL"])
    return _client


def noop(number: int) -> None:
    ledger[number] += 1


def incr(number: int) -> None:
    client().incr("bench:incr")
    ledger[number] += 1
