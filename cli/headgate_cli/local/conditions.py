"""What reconcile says of policies and budgets, in status and Events, told to the person at the terminal."""

from __future__ import annotations

from collections.abc import Callable

from headgate.control.ports import HTTP_POLICY, QUEUE_POLICY, SUBJECTS, Kind, Manifest
from headgate_cli.local.memory_cluster import EventType, MemoryCluster, PostedEvent

RULING = {QUEUE_POLICY: ("queue", "served"), HTTP_POLICY: ("HTTP surface", "published")}
PASSING = frozenset({"PartiallyAcknowledged", "Progressing", "NotReconciled", "NoInstances", "Unavailable", "Shadow"})
"""Reasons of a normal start or rollout, and of what somebody wished."""
SCALED = ("ScaledOut", "ScaledIn")


class ConditionTeller:
    """Tells every condition that a person should act on, and when all policies are in force."""

    def __init__(self, cluster: MemoryCluster, warn: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._warn, self._say = warn, say
        self._told: dict[tuple[str, str, str], str] = {}
        self._ready: dict[tuple[Kind, str], bool] = {}
        self._all_ready = False
        cluster.watch(self._see)
        cluster.on_event = self._hear

    def _hear(self, event: PostedEvent) -> None:
        """Conditions tell of the rest, pods of themselves."""
        if event.reason in SCALED:
            self._say(f"{event.regarding.replace('/', ' ')}: {event.message}")

    def _see(self, type_: EventType, kind: Kind, manifest: Manifest) -> None:
        if kind not in SUBJECTS:
            return
        name, conditions = manifest["metadata"]["name"], manifest.get("status", {}).get("conditions", [])
        if type_ == "DELETED":
            self._ready.pop((kind, name), None)
            conditions = []
        elif kind in RULING:
            self._ready[kind, name] = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        accepted = not any(item["type"] == "Accepted" and item["status"] == "False" for item in conditions)
        for condition in conditions:
            self._tell(kind, name, condition, _is_wrong(condition, accepted))
        self._tell_ready()

    def _tell(self, kind: Kind, name: str, condition: Manifest, wrong: bool) -> None:
        key = (kind.kind, name, condition["type"])
        sentence = f"{kind.kind} {name}: {condition['reason']}: {condition['message']}" if wrong else ""
        if sentence and sentence != self._told.get(key):
            self._warn(sentence)
        elif not sentence and self._told.get(key):
            self._say(f"{kind.kind} {name}: {condition['type']} is well again")
        self._told[key] = sentence

    def _tell_ready(self) -> None:
        all_ready = bool(self._ready) and all(self._ready.values())
        if all_ready and not self._all_ready:
            self._say(f"{self._served()}, all limits are in force")
        self._all_ready = all_ready

    def _served(self) -> str:
        """`9 queues are served, 1 HTTP surface is published`"""
        counts = [(sum(kind == ruling for kind, _ in self._ready), *words) for ruling, words in RULING.items()]
        return ", ".join(
            f"{count} {noun} is {verb}" if count == 1 else f"{count} {noun}s are {verb}"
            for count, noun, verb in counts
            if count
        )


def _is_wrong(condition: Manifest, accepted: bool) -> bool:
    """What was not accepted is not enforced either: that goes without saying."""
    type_, status, reason = condition["type"], condition["status"], condition["reason"]
    if type_ == "Degraded":
        return bool(status == "True")
    if type_ == "Enforced" and not accepted:
        return False
    return type_ in ("Accepted", "Enforced") and status != "True" and reason not in PASSING
