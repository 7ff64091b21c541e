"""Status and Events: written when something changed, told once per reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.control.memory import Memory
from headgate.control.ports import Clock, Cluster, Key, Manifest
from headgate.status.changes import COUNTER_SECONDS, change
from headgate.status.conditions import Verdict, news


class StatusWriter:
    """The status as read may be old by now: then the write is a Conflict, and the key comes again."""

    def __init__(self, cluster: Cluster, memory: Memory, clock: Clock) -> None:
        self._cluster, self._memory, self._clock = cluster, memory, clock

    async def write(
        self, key: Key, manifest: Manifest, status: dict[str, Any], judged: Sequence[Verdict]
    ) -> float | None:
        """Seconds after which a count that moved may be written, None when nothing is left to write."""
        before = manifest.get("status", {})
        moved, now = change(before, status), self._clock.monotonic()
        if moved == "none":
            return None
        wait = self._memory.status_at.get(key, float("-inf")) + COUNTER_SECONDS - now
        if moved == "counters" and wait > 0:
            return wait
        await self._cluster.apply_status(key.kind, manifest, status)
        self._memory.status_at[key] = now
        for verdict in news(before.get("conditions", ()), judged):
            await self._cluster.post_event(
                manifest,
                reason=verdict.reason.name,
                message=f"{verdict.reason.condition}: {verdict.text}",
                type_="Warning" if verdict.reason.warns else "Normal",
            )
        return None
