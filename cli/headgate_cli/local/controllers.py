"""Deployment -> Pods, for the in-memory cluster: rollout, scale in and out, Deployment status.

What the ReplicaSet in between would do is done here: Pods carry the template's hash. Rolling updates only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timedelta

from headgate.control.ports import DEPLOYMENT, POD, Clock, Kind, Manifest
from headgate.errors import Conflict
from headgate_cli.local.memory_cluster import EventType, MemoryCluster

HASH_LABEL = "pod-template-hash"
LOOK_SECONDS = 1.0
COST = "controller.kubernetes.io/pod-deletion-cost"


class DeploymentController:
    """Keeps the Pods and the status of every Deployment as its spec wants them, until `run` is cancelled."""

    def __init__(self, cluster: MemoryCluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._changed = asyncio.Event()
        cluster.watch(self._note)

    async def run(self) -> None:
        while True:
            self._changed.clear()
            for deployment in await self._cluster.list(DEPLOYMENT):
                await self.reconcile(deployment)
            with suppress(TimeoutError):  # a Pod becomes available by time alone
                await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)

    async def reconcile(self, deployment: Manifest) -> None:
        """One step: nothing in it waits for Pods; their changes call for the next one."""
        if "deletionTimestamp" in deployment["metadata"]:
            return
        pods = await self._pods_of(deployment)
        doomed = self._surplus(deployment, pods)
        for pod in doomed:
            metadata = pod["metadata"]
            await self._cluster.delete(POD, metadata["namespace"], metadata["name"], metadata["uid"])
        kept = [pod for pod in pods if pod not in doomed]
        wanted = [_new_pod(deployment) for _ in range(self._missing(deployment, kept))]
        kept += [await self._cluster.apply(POD, pod, manager="deployment-controller") for pod in wanted]
        try:
            await self._cluster.apply_status(DEPLOYMENT, deployment, self._status(deployment, kept))
        except Conflict:
            self._changed.set()

    def _note(self, _type: EventType, kind: Kind, _manifest: Manifest) -> None:
        if kind in (DEPLOYMENT, POD):
            self._changed.set()

    async def _pods_of(self, deployment: Manifest) -> list[Manifest]:
        """Its Pods that have not ended and are not ending."""
        metadata, labels = deployment["metadata"], deployment["spec"]["selector"]["matchLabels"]
        return [
            pod
            for pod in await self._cluster.list(POD, metadata["namespace"], labels)
            if any(owner["uid"] == metadata["uid"] for owner in pod["metadata"].get("ownerReferences", []))
            and "deletionTimestamp" not in pod["metadata"]
            and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def _surplus(self, deployment: Manifest, pods: Sequence[Manifest]) -> list[Manifest]:
        """Pods to end now: new ones above `replicas`; old ones without ever leaving fewer ready than promised."""
        replicas, (_, unavailable) = _replicas(deployment), _rolling(deployment)
        new, old = _split(deployment, pods)
        surplus = _in_order_of_ending(new)[: max(0, len(new) - replicas)]
        unready_old = [pod for pod in old if not ready(pod)]
        spare = len(self._available(deployment, [pod for pod in pods if pod not in surplus])) - (replicas - unavailable)
        ready_old = _in_order_of_ending(pod for pod in old if ready(pod))
        return surplus + unready_old + ready_old[: max(0, spare)]

    def _missing(self, deployment: Manifest, pods: Sequence[Manifest]) -> int:
        replicas, (surge, _) = _replicas(deployment), _rolling(deployment)
        new, _ = _split(deployment, pods)
        return max(0, min(replicas - len(new), replicas + surge - len(pods)))

    def _available(self, deployment: Manifest, pods: Sequence[Manifest]) -> list[Manifest]:
        """Those that have been ready for `minReadySeconds`."""
        until = datetime.fromisoformat(self._clock.now()) - timedelta(
            seconds=deployment["spec"].get("minReadySeconds", 0)
        )
        return [pod for pod in pods if (since := ready_since(pod)) and since <= until]

    def _status(self, deployment: Manifest, pods: Sequence[Manifest]) -> Manifest:
        replicas, (_, unavailable) = _replicas(deployment), _rolling(deployment)
        new, _ = _split(deployment, pods)
        ready_now, available_now = sum(map(ready, pods)), len(self._available(deployment, pods))
        counts = {
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": ready_now,
            "availableReplicas": available_now,
            "unavailableReplicas": max(0, replicas - available_now),
        }
        available = available_now >= replicas - unavailable
        available_reason = "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable"
        done = len(new) == len(pods) == replicas == available_now
        progress = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
        return {
            "observedGeneration": deployment["metadata"]["generation"],
            **{name: number for name, number in counts.items() if number},
            "conditions": [
                self._condition(deployment, "Available", available, available_reason),
                self._condition(deployment, "Progressing", True, progress),
            ],
        }

    def _condition(self, deployment: Manifest, type_: str, is_true: bool, reason: str) -> Manifest:
        status = "True" if is_true else "False"
        now = self._clock.now()
        before = {item["type"]: item for item in deployment.get("status", {}).get("conditions", [])}.get(type_, {})
        same = before.get("status") == status
        return {
            "type": type_,
            "status": status,
            "reason": reason,
            "lastTransitionTime": before["lastTransitionTime"] if same else now,
            "lastUpdateTime": before["lastUpdateTime"] if same and before["reason"] == reason else now,
        }


def ready_since(pod: Manifest) -> datetime | None:
    conditions = pod.get("status", {}).get("conditions", [])
    found = next((item for item in conditions if item["type"] == "Ready" and item["status"] == "True"), None)
    return datetime.fromisoformat(found["lastTransitionTime"]) if found else None


def ready(pod: Manifest) -> bool:
    return ready_since(pod) is not None


def template_hash(deployment: Manifest) -> str:
    return hashlib.sha256(json.dumps(deployment["spec"]["template"], sort_keys=True).encode()).hexdigest()[:10]


def _split(deployment: Manifest, pods: Sequence[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """(of the template as it is now, of older ones)"""
    wanted = template_hash(deployment)
    new = [pod for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == wanted]
    return new, [pod for pod in pods if pod not in new]


def _replicas(deployment: Manifest) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _rolling(deployment: Manifest) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in Pods; a percentage of `replicas` rounds up in the first, down in the second."""
    rolling = deployment["spec"].get("strategy", {}).get("rollingUpdate") or {}
    replicas = _replicas(deployment)

    def pods(value: int | str, rounding: Callable[[float], int]) -> int:
        return rounding(replicas * int(value.rstrip("%")) / 100) if isinstance(value, str) else value

    surge = pods(rolling.get("maxSurge", "25%"), math.ceil)
    unavailable = pods(rolling.get("maxUnavailable", "25%"), math.floor)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _in_order_of_ending(pods: Iterable[Manifest]) -> list[Manifest]:
    """First those not ready, then the lowest pod-deletion-cost, then the youngest (as a ReplicaSet does)."""

    def rank(pod: Manifest) -> tuple[bool, int]:
        return ready(pod), int(pod["metadata"].get("annotations", {}).get(COST, "0"))

    return sorted(sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True), key=rank)


def _new_pod(deployment: Manifest) -> Manifest:
    metadata, template = deployment["metadata"], deepcopy(deployment["spec"]["template"])
    wanted = template_hash(deployment)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template.get("metadata", {}),
            "name": f"{metadata['name']}-{wanted}-{secrets.token_hex(4)}",
            "namespace": metadata["namespace"],
            "labels": {**template["metadata"]["labels"], HASH_LABEL: wanted},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": template["spec"],
    }
