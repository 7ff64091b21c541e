"""The Pods of a real API server for the one-machine kubelet, and the node that it plays.

There is no scheduler: every Pod of `namespace` without a node is bound to ours. The node is kept Ready as by a kubelet,
or the node lifecycle controller would mark its Pods as not ready after 40 s.
"""

import asyncio
import base64
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from headgate.control.ports import POD, Manifest
from headgate.errors import ClusterError, Conflict
from headgate_cli.clock import SystemClock
from headgate_cli.local.container_run import Machine
from headgate_cli.local.pod_files import DataKind
from headgate_cli.local.pods import Kubelet
from headgate_cli.settings import for_children
from headgate_operator.cluster import ApiServer, NotFound, path_of
from headgate_operator.events import EVENT, new_event
from headgate_operator.metrics import Metrics

from .control_plane import ControlPlane

LOOK_SECONDS = 0.2
HEARTBEAT_SECONDS = 10.0
MERGE = "application/merge-patch+json"


class ApiPods:
    """A PodSource. `api` must be allowed to bind, patch and delete Pods and to read Secrets."""

    def __init__(self, api: ApiServer, namespace: str, node: str) -> None:
        self._api = api
        self._namespace = namespace
        self._node = node

    async def pods(self) -> Sequence[Manifest]:
        answer = await self._api.call("GET", path_of(POD, self._namespace), resource="pods")
        found = [{**pod, "apiVersion": "v1", "kind": "Pod"} for pod in answer["items"]]
        for pod in found:
            if not pod["spec"].get("nodeName"):
                await self._bind(pod["metadata"]["name"])
                pod["spec"]["nodeName"] = self._node
        return [pod for pod in found if pod["spec"]["nodeName"] == self._node]

    async def changed(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)

    async def report(self, pod: Manifest, status: Manifest) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        body = {"metadata": {"uid": uid}, "status": status}
        path = path_of(POD, self._namespace, name, "status")
        with suppress(NotFound, Conflict):  # gone, or the name belongs to another Pod now
            await self._api.call("PATCH", path, resource="pods/status", body=body, content_type=MERGE)

    async def remove(self, pod: Manifest) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": uid},
        }
        with suppress(NotFound, Conflict):
            await self._api.call("DELETE", path_of(POD, self._namespace, name), resource="pods", body=options)

    async def data(self, kind: DataKind, namespace: str, name: str) -> Mapping[str, bytes] | None:
        plural = "secrets" if kind == "Secret" else "configmaps"
        try:
            found = await self._api.call("GET", f"/api/v1/namespaces/{namespace}/{plural}/{name}", resource=plural)
        except NotFound:
            return None
        if kind == "Secret":
            return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}
        return {key: value.encode() for key, value in found.get("data", {}).items()}

    async def event(self, pod: Manifest, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        event = new_event(pod, reason=reason, message=message, type_=type_)
        with suppress(NotFound):
            await self._api.call("POST", path_of(EVENT, self._namespace), resource="events", body=event)

    async def _bind(self, name: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": self._node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = path_of(POD, self._namespace, name, "binding")
        with suppress(NotFound, Conflict):
            await self._api.call("POST", path, resource="pods/binding", body=body)


class Node:
    """A Node object that is Ready for as long as `beat` runs."""

    def __init__(self, api: ApiServer, name: str) -> None:
        self._api = api
        self._path = f"/api/v1/nodes/{name}"
        self._name = name

    async def register(self) -> None:
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self._name}}
        await self._api.call("POST", "/api/v1/nodes", resource="nodes", body=body)
        await self._report()

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            with suppress(ClusterError):
                await self._report()

    async def leave(self) -> None:
        with suppress(ClusterError):
            await self._api.call("DELETE", self._path, resource="nodes")

    async def _report(self) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "one machine"}
        body = {"status": {"conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}]}}
        await self._api.call("PATCH", f"{self._path}/status", resource="nodes/status", body=body, content_type=MERGE)


@asynccontextmanager
async def running_kubelet(
    control_plane: ControlPlane,
    namespace: str,
    folder: Path,
    *,
    app: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    say: Callable[[str, str], None] = lambda _pod, _line: None,
) -> AsyncIterator[Kubelet]:
    """Run the Pods of `namespace` as processes until the end, then kill them.

    `app`: their current folder; `environ`: what they inherit.
    """
    api = await ApiServer.connect(str(control_plane.kubeconfig), Metrics())
    node = Node(api, f"node-{secrets.token_hex(4)}")
    await node.register()
    where = app or folder
    machine = Machine(folder / "pods", where, for_children(where, environ), SystemClock(), say)
    kubelet = Kubelet(ApiPods(api, namespace, node._name), machine)
    tasks = [asyncio.create_task(kubelet.run()), asyncio.create_task(node.beat())]
    try:
        yield kubelet
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        kubelet.end(grace=0)
        await kubelet.ended()
        await node.leave()
        await api.close()
