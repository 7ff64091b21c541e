"""Store memory of a million hostile identities under an HTTP rule: `python -m bench.http_memory`.

`--identities 20000` is a short run.

Each identity asks once, as from an address of its own: the worst case a request, since a second one adds 8 bytes.
Then the same with a short period, until the store has forgotten all of them by itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import redis

from bench.harness import report
from bench.peers.peer import ROOT
from headgate.gates.door import Door
from headgate.gates.http import Admit, Allowed
from headgate.gates.verbs import Owner, Published
from headgate.model.documents import HttpDocument, HttpRule, RateDocument
from tests.processes.store import Store

GOAL_MB = 200.0
MB = 1e6
QUARTER_MS = 900_000
SHORT_MS = 2_000
RULES = {
    "100 in 15 minutes": {"rate": RateDocument(limit=100, period_ms=QUARTER_MS)},
    "1,000 in 15 minutes": {"rate": RateDocument(limit=1_000, period_ms=QUARTER_MS)},
    "5 failures in 15 minutes": {"rate": RateDocument(limit=5, period_ms=QUARTER_MS), "count": "Failures"},
}


@dataclass(frozen=True)
class Row:
    rule: str
    identities: int
    mb: float
    bytes_each: float
    lasting_keys: int
    """Keys of identities without an end."""
    seconds: float


def publish(door: Door, generation: int, **rule: Any) -> int:
    document = HttpDocument(surface="api", rules=(HttpRule(name="general", **rule),))
    answer = door.publish(document, Owner("bench/api", "bench", generation))
    assert isinstance(answer, Published)
    return answer.revision


def flood(door: Door, revision: int, identities: int) -> None:
    for i in range(identities):
        identity = f"{i * 0x9E3779B97F4A7C15 % (1 << 128):032x}"
        answer = door.admit(Admit("api", revision, "api", f"api:{i}", ((0, identity),)))
        assert isinstance(answer, Allowed)


def used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def row(url: str, name: str, identities: int) -> Row:
    with redis.Redis.from_url(url) as client:
        client.execute_command("FLUSHALL", "SYNC")
        door = Door(url, timeout=5)
        revision = publish(door, 1, **RULES[name])
        before, began = used(client), time.monotonic()
        flood(door, revision, identities)
        seconds, taken = time.monotonic() - began, used(client) - before
        lasting = client.dbsize() - client.info("keyspace")["db0"]["expires"] - len(owned(client))
        door.close()
        return Row(name, identities, taken / MB, taken / identities, lasting, seconds)


def owned(client: redis.Redis) -> list[bytes]:
    """Keys that stay as long as the document does."""
    known = ("meta", "owners", "http:api", "http:api:stats")
    return [key for name in known if client.exists(key := f"rq:hg:{name}".encode())]


def forgotten(url: str, identities: int) -> float:
    """Seconds after the last request until every identity's keys are gone, with a period of two seconds."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
        door = Door(url, timeout=5)
        revision = publish(door, 1, rate=RateDocument(limit=100, period_ms=SHORT_MS))
        flood(door, revision, identities)
        began = time.monotonic()
        while client.dbsize() > len(owned(client)):
            assert time.monotonic() - began < 120, "the store keeps identities"
            time.sleep(0.1)
        door.close()
        return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.http_memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--identities", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headgate-memory-") as folder, Store(Path(folder)) as store:
        rows = [row(store.url, name, options.identities) for name in RULES]
        seconds, allocator = forgotten(store.url, min(options.identities, 50_000)), store.allocator
    head = ["rule", "identities", "MB", "bytes each", "without an end", "seconds"]
    cells = [
        [one.rule, one.identities, f"{one.mb:.1f}", f"{one.bytes_each:.0f}", one.lasting_keys, f"{one.seconds:.0f}"]
        for one in rows
    ]
    print(report.table(head, cells))
    per_million = rows[0].bytes_each
    print(report.verdict("MB of store for a million identities", per_million, GOAL_MB, at_most=True))
    print(f"all forgotten {seconds:.1f} s after the last request (period {SHORT_MS / 1000:g} s)")
    content = {"rows": [asdict(one) for one in rows], "forgotten_seconds": seconds, "options": vars(options)}
    path = report.save("http_memory", {**content, "conditions": report.conditions(allocator)})
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
