"""Is this server one that Headgate may run on? Version, and that it never evicts keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.errors import StoreUnsuitable

MIN_VALKEY = (8, 0, 0)
MIN_REDIS = (7, 0, 15)


def info_fields(text: bytes) -> dict[str, str]:
    """The `name:value` lines of INFO."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def from_hello(reply: Sequence[Any]) -> bytes:
    """INFO's version line from HELLO, for users whose ACL denies INFO; whether such a store evicts stays unknown."""
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    name = b"valkey" if fields[b"server"] == b"valkey" else b"redis"
    return b"%s_version:%s" % (name, fields[b"version"])


def judge(server: bytes, memory: bytes) -> None:
    """Raise StoreUnsuitable unless INFO's `server` and `memory` are good. CONFIG is not asked: ACLs often deny it."""
    fields = info_fields(server)
    if "valkey_version" in fields:
        _at_least("Valkey", fields["valkey_version"], MIN_VALKEY)
    else:
        _at_least("Redis", fields.get("redis_version", "0"), MIN_REDIS)
    policy = info_fields(memory).get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise StoreUnsuitable(
            f"maxmemory-policy of the store is {policy}: it would evict running jobs and limits; set it to noeviction"
        )


def _at_least(name: str, version: str, least: tuple[int, ...]) -> None:
    parts = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:3])
    if parts < least:
        raise StoreUnsuitable(f"the store runs {name} {version}; Headgate needs at least Valkey 8.0.0 or Redis 7.0.15")
