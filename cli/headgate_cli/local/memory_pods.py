"""The Pods of the in-memory cluster, for the kubelet: this machine is the only node, so every Pod is bound to it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Literal

from headgate.control.ports import POD, Kind, Manifest
from headgate_cli.local.memory_cluster import EventType, MemoryCluster
from headgate_cli.local.pod_files import DataKind

NODE = "this-machine"
SECRET = Kind("", "v1", "secrets", "Secret")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")


class MemoryPods:
    """A PodSource."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._changed = asyncio.Event()
        cluster.watch(self._note)

    async def pods(self) -> Sequence[Manifest]:
        self._changed.clear()
        return [await self._bound(pod) for pod in await self._cluster.list(POD)]

    async def changed(self) -> None:
        await self._changed.wait()

    async def report(self, pod: Manifest, status: Manifest) -> None:
        live = await self._live(pod)
        if live:
            await self._cluster.apply_status(POD, live, status)

    async def remove(self, pod: Manifest) -> None:
        if await self._live(pod):
            metadata = pod["metadata"]
            await self._cluster.delete(POD, metadata["namespace"], metadata["name"], metadata["uid"], grace_seconds=0)

    async def data(self, kind: DataKind, namespace: str, name: str) -> Mapping[str, bytes] | None:
        found = await self._cluster.get(SECRET if kind == "Secret" else CONFIG_MAP, namespace, name)
        if found is None:
            return None
        encoded = found.get("data" if kind == "Secret" else "binaryData", {})
        plain = found.get("stringData" if kind == "Secret" else "data", {})
        return {key: base64.b64decode(value) for key, value in encoded.items()} | {
            key: value.encode() for key, value in plain.items()
        }

    async def event(self, pod: Manifest, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        await self._cluster.post_event(pod, reason=reason, message=message, type_=type_)

    async def _bound(self, pod: Manifest) -> Manifest:
        if pod["spec"].get("nodeName"):
            return pod
        return await self._cluster.put(POD, {**pod, "spec": {**pod["spec"], "nodeName": NODE}})

    async def _live(self, pod: Manifest) -> Manifest | None:
        """This very Pod, not another one of its name."""
        metadata = pod["metadata"]
        live = await self._cluster.get(POD, metadata["namespace"], metadata["name"])
        return live if live and live["metadata"]["uid"] == metadata["uid"] else None

    def _note(self, _type: EventType, kind: Kind, _manifest: Manifest) -> None:
        if kind == POD:
            self._changed.set()
