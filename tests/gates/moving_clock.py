"""The scripts as shipped, but with a clock that a test moves: the store's TIME plus an offset kept in a key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import redis

from headgate.gates.scripts import VERBS, Script, load

CLOCK = """
local time = call('TIME')
local total = tonumber(time[1]) * 1000000 + time[2] + (call('GET', P .. ':test:offset_us') or 0)
time = { string.format('%.0f', (total - total % 1000000) / 1000000), string.format('%d', total % 1000000) }
local sec, micros = tonumber(time[1]), string.format('%06d', time[2])
local us, us_text = sec * 1000000 + time[2], time[1] .. micros
local now = (us - us % 1000) / 1000
local alive = '(' .. now
"""


@cache
def moving_verbs() -> Mapping[str, Script]:
    return {verb: load(verb, {"clock": CLOCK}) for verb in VERBS}


def move(client: redis.Redis, seconds: float, prefix: str = "rq") -> None:
    """Let the store's clock jump. Keys with a TTL do not feel it: only what the scripts compute does."""
    client.incrby(f"{prefix}:test:offset_us", int(seconds * 1_000_000))
