"""What reconcile says in the status of policies and budgets, told to the person at the terminal when it changes."""

from __future__ import annotations

from collections.abc import Callable

from headgate.control.ports import BUDGET, QUEUE_POLICY, Kind, Manifest
from headgate_cli.local.memory_cluster import EventType, MemoryCluster

PASSING = frozenset({"PartiallyAcknowledged", "Progressing", "NotReconciled", "NoInstances", "Unavailable"})
"""Reasons of a normal start or rollout."""


class ConditionTeller:
    """Tells every condition that a person should act on, and when all policies are in force."""

    def __init__(self, cluster: MemoryCluster, warn: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._warn, self._say = warn, say
        self._told: dict[tuple[str, str, str], str] = {}
        self._ready: dict[str, bool] = {}
        self._all_ready = False
        cluster.watch(self._see)

    def _see(self, type_: EventType, kind: Kind, manifest: Manifest) -> None:
        if kind not in (QUEUE_POLICY, BUDGET):
            return
        name, conditions = manifest["metadata"]["name"], manifest.get("status", {}).get("conditions", [])
        if type_ == "DELETED":
            self._ready.pop(name, None)
            conditions = []
        elif kind == QUEUE_POLICY:
            self._ready[name] = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        for condition in conditions:
            self._tell(kind, name, condition)
        self._tell_ready()

    def _tell(self, kind: Kind, name: str, condition: Manifest) -> None:
        key = (kind.kind, name, condition["type"])
        wrong = _is_wrong(condition)
        sentence = f"{kind.kind} {name}: {condition['reason']}: {condition['message']}" if wrong else ""
        if sentence and sentence != self._told.get(key):
            self._warn(sentence)
        elif not sentence and self._told.get(key):
            self._say(f"{kind.kind} {name}: {condition['type']} is well again")
        self._told[key] = sentence

    def _tell_ready(self) -> None:
        all_ready = bool(self._ready) and all(self._ready.values())
        if all_ready and not self._all_ready:
            count = len(self._ready)
            self._say(f"{count} {'queue is' if count == 1 else 'queues are'} served, all limits are in force")
        self._all_ready = all_ready


def _is_wrong(condition: Manifest) -> bool:
    if condition["type"] == "Degraded":
        return bool(condition["status"] == "True")
    bad = condition["type"] in ("Accepted", "Enforced") and condition["status"] != "True"
    return bad and condition["reason"] not in PASSING and condition["reason"] != "Shadow"
