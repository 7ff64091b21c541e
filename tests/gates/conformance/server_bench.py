"""The bench of the scripts as shipped, in a real Valkey or Redis, with time that moves only when told to.

The scripts' one source of time (`clock`) is left as it is, but the TIME it asks for is read from a key, and what lives
for a while lives until a moment of that time: far in the real future, so the server itself never drops it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

import redis

from headgate.gates.door import Door
from headgate.gates.keys import Keys
from headgate.gates.scripts import VERBS, Script, load
from headgate.gates.verbs import Gates
from tests.gates.conformance.bench import JobSeen

CLOCK_KEY = "test:clock"
START_US = 4_102_444_800_000_000
"""1 January 2100."""

_HAND_MOVED = """
local in_store, moment = call, call('GET', 'test:clock')
local function later(ms) return string.format('%.0f', math.floor(tonumber(moment) / 1000) + ms) end
call = function(command, ...)
  local key, value, unit, span = ...
  if command == 'TIME' then
    return { string.sub(moment, 1, -7), string.format('%d', tonumber(string.sub(moment, -6))) }
  end
  if command == 'EXPIRE' then return in_store('PEXPIREAT', key, later(value * 1000)) end
  if command == 'PEXPIRE' then return in_store('PEXPIREAT', key, later(value)) end
  if command == 'SET' and span then
    return in_store('SET', key, value, 'PXAT', later(unit == 'EX' and span * 1000 or span))
  end
  return in_store(command, ...)
end
"""

_EXPIRE = """
for _, key in ipairs(redis.call('KEYS', 'rq:*')) do
  local at = redis.call('PEXPIRETIME', key)
  if at > 0 and at <= tonumber(ARGV[1]) then redis.call('DEL', key) end
end
"""


@cache
def hand_moved_verbs() -> Mapping[str, Script]:
    shipped = (files("headgate.gates") / "lua" / "lib" / "clock.lua").read_text()
    return {verb: load(verb, {"clock": _HAND_MOVED + shipped}) for verb in VERBS}


class ServerBench:
    """`url` names an empty store that nobody else uses."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = redis.Redis.from_url(url)
        self._keys = Keys()
        self._doors: dict[str, Door] = {}
        self._us = START_US
        self._client.set(CLOCK_KEY, self._us)
        self._wakes: Any = self._client.pubsub()  # type: ignore[no-untyped-call]
        self._wakes.psubscribe(f"{self._keys.own}:wake:*")
        while self._wakes.get_message(timeout=5)["type"] != "psubscribe":
            pass

    def gates(self, caller: str) -> Gates:
        if caller not in self._doors:
            self._doors[caller] = Door(self._url, verbs=hand_moved_verbs(), timeout=5)
        return cast(Gates, self._doors[caller])

    def close(self) -> None:
        for door in self._doors.values():
            door.close()
        self._wakes.close()
        self._client.close()

    # ---- time and faults ----

    @property
    def now(self) -> int:
        return self._us // 1000

    def advance(self, ms: float) -> None:
        self._us += round(ms * 1000)
        self._client.set(CLOCK_KEY, self._us)
        self._client.eval(_EXPIRE, 0, self.now)

    def snapshot(self) -> object:
        names = list(self._client.scan_iter("rq:*"))
        return [(name, self._client.dump(name), max(0, self._client.pexpiretime(name))) for name in names]

    def restore(self, snapshot: object) -> None:
        assert isinstance(snapshot, list)
        self.wipe()
        for name, dumped, expires in snapshot:
            if not 0 < expires <= self.now:
                self._client.restore(name, expires, dumped, absttl=True)

    def wipe(self) -> None:
        names = list(self._client.scan_iter("rq:*"))
        if names:
            self._client.delete(*names)

    # ---- what plain RQ and its users do ----

    def enqueue(
        self,
        queue: str,
        job_id: str,
        *,
        key: str | None = None,
        meta: bool = False,
        at_front: bool = False,
        data: bool = True,
    ) -> None:
        fields: dict[str, str] = {"status": "queued", "origin": queue, "timeout": "180", "worker_name": ""}
        if data:
            fields["data"] = "data"
        if key is not None:
            fields["headgate_key"] = key
        if meta:
            fields["meta"] = "pickled"
        self._client.sadd(self._keys.queues, self._keys.queue(queue))
        self._client.hset(self._keys.job(job_id), mapping=fields)
        (self._client.lpush if at_front else self._client.rpush)(self._keys.queue(queue), job_id)

    def cancel(self, job_id: str) -> None:
        queue = self._client.hget(self._keys.job(job_id), "origin").decode()
        self._client.lrem(self._keys.queue(queue), 1, job_id)
        self.mark_canceled(job_id)

    def mark_canceled(self, job_id: str) -> None:
        self._client.hset(self._keys.job(job_id), "status", "canceled")

    def fail(self, job_id: str) -> None:
        queue = self._client.hget(self._keys.job(job_id), "origin").decode()
        self._client.hset(self._keys.job(job_id), "status", "failed")
        for execution in self._client.zrange(self._keys.executions(job_id), 0, -1):
            self._client.zrem(self._keys.wip(queue), f"{job_id}:{execution.decode()}")
        self._client.delete(self._keys.executions(job_id))
        self._client.zadd(self._keys.failed(queue), {job_id: self._us // 1_000_000 + 86400})

    def depend(self, job_id: str, dependent: str) -> None:
        self._client.sadd(self._keys.dependents(job_id), dependent)

    def suspend(self, suspended: bool) -> None:
        if suspended:
            self._client.set(self._keys.suspended, 1)
        else:
            self._client.delete(self._keys.suspended)

    def register(self, slot: str) -> None:
        self._client.hset(self._keys.worker(slot), mapping={"state": "idle", "successful_job_count": "0"})
        self._client.pexpireat(self._keys.worker(slot), self.now + 90_000)

    def hold_http(self, budget: str, holder: str, end: int) -> None:
        for part in ("held", "http"):
            self._client.zadd(self._keys.budget_gate(budget, part), {holder: end})

    # ---- what can be seen ----

    def queue(self, queue: str) -> list[str]:
        return [job_id.decode() for job_id in self._client.lrange(self._keys.queue(queue), 0, -1)]

    def job(self, job_id: str) -> JobSeen | None:
        fields = self._client.hgetall(self._keys.job(job_id))
        if not fields:
            return None
        executions = self._client.zrange(self._keys.executions(job_id), 0, -1)
        return JobSeen(
            fields.get(b"status", b"").decode(),
            int(fields.get(b"headgate_losses", b"0")),
            frozenset(execution.decode() for execution in executions),
        )

    def started(self, queue: str) -> set[str]:
        return {member.decode().partition(":")[0] for member in self._client.zrange(self._keys.wip(queue), 0, -1)}

    def finished(self, queue: str) -> set[str]:
        return {member.decode() for member in self._client.zrange(self._keys.finished(queue), 0, -1)}

    def _ends(self, key: str) -> dict[str, int]:
        return {member.decode(): int(end) for member, end in self._client.zrange(key, 0, -1, withscores=True)}

    def holders(self, queue: str) -> dict[str, int]:
        return self._ends(self._keys.gate(queue, "held"))

    def key_holders(self, queue: str, key: str) -> dict[str, int]:
        return self._ends(self._keys.key_gate(queue, key, "held"))

    def budget_holders(self, budget: str) -> dict[str, int]:
        return self._ends(self._keys.budget_gate(budget, "held"))

    def budget_http_holders(self, budget: str) -> dict[str, int]:
        return self._ends(self._keys.budget_gate(budget, "http"))

    def counters(self) -> object:
        kinds = (f"{self._keys.own}:h:*", f"{self._keys.own}:b:*")
        names = [name for kind in kinds for name in self._client.scan_iter(kind)]
        return {name: (self._client.dump(name), self._client.pexpiretime(name)) for name in names}

    def wakes(self) -> list[tuple[str, str]]:
        last = self._keys.wake("last-of-all")
        self._client.publish(last, "")
        woken: list[tuple[str, str]] = []
        while (message := self._wakes.get_message(timeout=5)) is not None:
            channel = message["channel"].decode()
            if channel == last:
                return woken
            woken.append((channel.removeprefix(self._keys.wake("")), message["data"].decode()))
        raise TimeoutError("the store did not deliver its own message")

    def own_keys(self) -> set[str]:
        memory = {self._keys.meta, self._keys.unpublished, self._keys.http_secret}
        return {name.decode() for name in self._client.scan_iter(f"{self._keys.own}:*")} - memory
