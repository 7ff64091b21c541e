"""The chart on the node, and what a scenario asks of it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import redis
import rq

from headgate_api.tokens import new_token
from tests.cluster.control_plane import ControlPlaneError

from .commands import run
from .images import HEADGATE, ROOT, TAG
from .node import Cluster
from .objects import reason

CHART = ROOT / "charts" / "headgate"
VALUES: dict[str, Any] = {
    "image": {"repository": HEADGATE.rpartition(":")[0], "tag": TAG, "pullPolicy": "Never"},
    "valkey": {"enabled": True, "image": {"repository": "localhost/valkey", "tag": TAG, "pullPolicy": "Never"}},
}


class Installation:
    """Release `headgate` in `namespace`."""

    def __init__(self, cluster: Cluster, helm: Path, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._helm = helm
        self.values = cluster.folder / "values.json"
        self._token, line = new_token("operate", "e2e")
        self.values.write_text(json.dumps({**VALUES, "api": {"tokens": [line]}}))

    def helm(self, *arguments: str, timeout: float = 180) -> str:
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "HELM_CACHE_HOME": str(self.cluster.folder / "helm"),
            "HELM_CONFIG_HOME": str(self.cluster.folder / "helm"),
            "HELM_DATA_HOME": str(self.cluster.folder / "helm"),
        }
        return run([str(self._helm), *arguments, "-n", self.namespace], env=environment, timeout=timeout)

    def install(self) -> float:
        """Seconds from nothing to everything Ready."""
        started = time.monotonic()
        if not self.exists():
            self.cluster.create_namespace(self.namespace)
            self.cluster.kubectl("label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted")
        self.helm("install", "headgate", str(CHART), "-f", str(self.values))
        self.ready()
        return time.monotonic() - started

    def exists(self) -> bool:
        try:
            self.cluster.get(f"/api/v1/namespaces/{self.namespace}")
        except ControlPlaneError:
            return False
        return True

    def ready(self, timeout: int = 90) -> None:
        """Everything is available, and what an upgrade replaced is gone."""
        self.cluster.kubectl(
            "-n", self.namespace, "wait", "deployment", "--all", "--for=condition=Available", f"--timeout={timeout}s",
            timeout=timeout + 10,
        )  # fmt: skip
        deployments = self.cluster.kubectl("-n", self.namespace, "get", "deployment", "-o", "name").split()
        for name in deployments:
            self.cluster.kubectl("-n", self.namespace, "rollout", "status", name, timeout=timeout)
        self.cluster.wait_until(lambda: not self._ending(), "replaced pods ended", timeout)

    def _ending(self) -> list[str]:
        found = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" in pod["metadata"]]

    @property
    def store_url(self) -> str:
        return f"redis://headgate-valkey.{self.namespace}.svc:6379"

    def store(self) -> redis.Redis:
        """The bundled store, from outside by its Service's address."""
        service = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/services/headgate-valkey")
        return redis.Redis(host=service["spec"]["clusterIP"], port=6379, socket_timeout=5)

    def queue(self, name: str) -> rq.Queue:
        return rq.Queue(name, connection=self.store())

    def outside_queue(self, namespace: str, service: str, name: str) -> rq.Queue:
        """A queue in a store that is not the chart's: Service `service` of `namespace`."""
        host = self.cluster.get(f"/api/v1/namespaces/{namespace}/services/{service}")["spec"]["clusterIP"]
        return rq.Queue(name, connection=redis.Redis(host=host, port=6379, socket_timeout=5))

    def prepare_namespace(self, name: str) -> None:
        self.cluster.create_namespace(name)
        self.cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        self.cluster.kubectl(
            "-n", name, "create", "secret", "generic", "headgate-store", f"--from-literal=url={self.store_url}"
        )

    def apply(self, namespace: str, *objects: dict[str, Any]) -> None:
        text = "\n---\n".join(json.dumps(found) for found in objects)
        self.cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=text)

    def wait(self, namespace: str, what: str, condition: str = "condition=Ready", timeout: int = 90) -> None:
        try:
            self.cluster.kubectl(
                "-n", namespace, "wait", what, *(["--all"] if "/" not in what else []), f"--for={condition}",
                f"--timeout={timeout}s", timeout=timeout + 10,
            )  # fmt: skip
        except ControlPlaneError as error:
            shown = self.cluster.kubectl(
                "-n", namespace, "get", "queuepolicies,httppolicies,periodictasks,pods", "-o", "wide"
            )
            events = self.cluster.kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp")
            raise AssertionError(f"{error}\n{shown}\n{events[-3000:]}") from error

    def change(self, namespace: str, name: str, spec: dict[str, Any]) -> None:
        """Merge `spec` into that of a QueuePolicy."""
        text = json.dumps({"spec": spec})
        self.cluster.kubectl("-n", namespace, "patch", "queuepolicy", name, "--type=merge", "-p", text)

    def in_force(self, namespace: str, name: str, timeout: float = 60) -> None:
        """Wait until what a QueuePolicy says now is in force."""

        def observed() -> bool:
            found = self.read(namespace, "queuepolicies", name)
            current = (found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"]
            return current and reason(found, "Ready") == "InForce"

        self.cluster.wait_until(observed, f"{name} is in force", timeout)

    def read(self, namespace: str, plural: str, name: str) -> dict[str, Any]:
        return self.cluster.get(f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/{plural}/{name}")

    def policies(self, namespace: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cluster.get(
            f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/queuepolicies"
        )["items"]
        return found

    def headgate(self, *arguments: str) -> str:
        """`kubectl headgate ...`: the CLI as a kubectl plugin finds the API by the kubeconfig and forwards a port."""
        path = os.pathsep.join((str(Path(sys.executable).parent), str(self.cluster.programs), os.environ["PATH"]))
        environment = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig), "PATH": path}
        kubectl = str(self.cluster.programs / "kubectl")
        return run([kubectl, "headgate", *arguments], env={**environment, "HEADGATE_TOKEN": self._token})

    def pods(self, namespace: str, selector: str = "app.kubernetes.io/name=headgate") -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector.replace('=', '%3D')}"
        found: list[dict[str, Any]] = self.cluster.get(path)["items"]
        return found
