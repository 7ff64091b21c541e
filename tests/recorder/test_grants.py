"""The store's own stream tells each start once, with the store's time, from a plain client and from inside a script."""

import time

import pytest
import redis

from tests.recorder.grants import Grants

AT = "2026-01-02T03:04:05.678901Z"
START = f"return redis.call('HSET', KEYS[1], 'status', 'started', 'started_at', '{AT}')"


@pytest.mark.store
def test_each_grant_is_seen_once_with_the_stores_time(valkey_url: str) -> None:
    before = time.time_ns()
    with redis.Redis.from_url(valkey_url) as client, Grants(valkey_url) as grants:
        client.hset("rq:job:plain", mapping={"status": "started", "started_at": AT})
        client.eval(START, 1, "rq:job:scripted")
        client.hset("rq:job:other", mapping={"status": "finished"})
        deadline = time.monotonic() + 5
        while len(grants.seen) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [grant.job for grant in grants.seen] == ["plain", "scripted"]
    assert all(before - 10**6 <= grant.stamped <= time.time_ns() + 10**6 for grant in grants.seen)
    assert grants.times() == [1767323045678901000] * 2
