"""The panels of this service's own statistics page. Each reads the store once a minute at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headgate.gates.door import Door
from headgate_api.doors import Doors
from headgate_api.panels import Panel, Panels, Query

MINUTE_MS = 60_000
DAY_MS = 86_400_000


def panels(doors: Doors) -> Panels:
    """Queues, the dead set, HTTP rules, periodic tasks, processes and the store."""

    def panel(name: str, title: str, read: Callable[[Door, Query], Any]) -> Panel:
        async def compute(query: Query) -> Any:
            return await doors.do(lambda door: read(door, query))

        return Panel(name, compute, title=title)

    return Panels(
        panel("queues", "Queues", _queues),
        panel("dead", "Dead set", _dead),
        panel("http", "HTTP rules", _http),
        panel("periodic", "Periodic tasks", _periodic),
        panel("processes", "Processes", _processes),
        panel("store", "Store", _store),
    )


def _queues(door: Door, _query: Query) -> list[dict[str, Any]]:
    state = door.inspect()
    return [
        {
            "queue": name,
            "running": found.running,
            "queued": found.queued,
            "due": found.due,
            "slots": sum(one.slots for one in found.instances),
            "blocked_by": str(found.blocked_by),
        }
        for name, found in sorted(state.queues.items())
    ]


def _dead(door: Door, _query: Query) -> list[dict[str, Any]]:
    return [
        {"queue": name, "dead": door.command("ZCARD", door.keys.failed(name)), "poison": found.poison}
        for name, found in sorted(door.inspect().queues.items())
    ]


def _http(door: Door, _query: Query) -> list[dict[str, Any]]:
    return [
        {
            "surface": name,
            "rule": rule,
            "allowed": counts.allowed,
            "denied": counts.denied,
            "near": counts.near,
            "identities_denied": counts.identities_denied,
        }
        for name, state in sorted(door.inspect_http().items())
        for rule, counts in sorted(state.rules.items())
    ]


def _periodic(door: Door, _query: Query) -> list[dict[str, Any]]:
    return [
        {
            "task": name,
            "running": bool(state.running),
            "last_outcome": state.last_outcome,
            "last_success": state.last_success,
            "skipped": state.skipped,
            "skips_in_a_row": state.skips_in_a_row,
        }
        for name, state in sorted(door.inspect_tasks().items())
    ]


def _processes(door: Door, query: Query) -> list[dict[str, Any]]:
    """Memory and processor of each process in the last `days`; samples are kept for two."""
    now = door.inspect().now
    samples = door.read_samples(now - query.days * DAY_MS)
    return [
        {
            "process": one.instance,
            "kind": one.kind,
            "subject": one.subject,
            "alive": one.last > now - 3 * MINUTE_MS and not one.ended,
            "memory_mib": one.uses[-1].memory_mib if one.uses else None,
            "most_memory_mib": max((use.memory_mib for use in one.uses), default=None),
            "average_cpu": round(sum(use.cpu for use in one.uses) / len(one.uses), 3) if one.uses else None,
        }
        for one in samples.processes
    ]


def _store(door: Door, query: Query) -> dict[str, Any]:
    """`size` also weighs every queue's list: that takes time in a store with long queues."""
    state = door.inspect()
    memory = _info(door, "memory")
    found: dict[str, Any] = {
        "used_bytes": int(memory.get("used_memory", 0)),
        "limit_bytes": int(memory.get("maxmemory", 0)),
        "quarantine_until": state.quarantine_until,
    }
    if query.with_size:
        found["keys"] = door.command("DBSIZE")
        found["queue_bytes"] = {
            name: door.command("MEMORY", "USAGE", door.keys.queue(name)) or 0 for name in sorted(state.queues)
        }
    return found


def _info(door: Door, section: str) -> dict[str, str]:
    lines = door.command("INFO", section).decode("ascii", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
