"""A real cluster of one node on this machine: the control plane at one end of a wire, the node in its own namespaces.

Everything ends with the process that started it: the node's PID 1 dies with its parent, and the kernel takes its
processes, mounts and interfaces along. What is left then a janitor removes (machine.py).
"""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cluster import audit
from tests.cluster.child import Child
from tests.cluster.control_plane import ControlPlane, ControlPlaneError

from .commands import run
from .dns import Dns
from .machine import Janitor, make_cgroups, make_link

HOST, NODE = "10.89.0.1", "10.89.0.2"
PODS, SERVICES = "10.90.0.0/24", "10.96.0.0/24"
FIRST_SERVICE = "10.96.0.1"
SYSTEM = "headgate-system"
PREFIX = "headgate-e2e"


class Cluster(ControlPlane):
    """A ControlPlane and a node `name` that runs pods. `images`: archives that it has from the start."""

    def __init__(self, programs: Path, folder: Path, images: list[Path]) -> None:
        self.name = f"{PREFIX}-{secrets.token_hex(3)}"
        self.wire = f"hg{secrets.token_hex(3)}"
        self._images = images
        self._janitor = Janitor(self.wire, self.name, folder)
        make_link(self.wire, HOST)
        super().__init__(
            programs,
            folder,
            HOST,
            names=("DNS:kubernetes.default.svc", f"IP:{FIRST_SERVICE}"),
            apiserver=[
                "--allow-privileged=true",
                "--endpoint-reconciler-type=lease",
                f"--service-cluster-ip-range={SERVICES}",
                "--kubelet-client-certificate=kubelet-client.crt",
                "--kubelet-client-key=kubelet-client.key",
                "--kubelet-preferred-address-types=InternalIP",
                "--enable-priority-and-fairness=true",
            ],
            controller_manager=["--use-service-account-credentials=true"],
        )
        self._record_reads_too()
        self._client_certificate()
        self.add_user(f"system:node:{self.name}", "system:nodes", "kubelet.json")
        self.add_user("system:kube-proxy", "system:node-proxier", "proxy.json")
        scheduler = self.add_user("system:kube-scheduler", "system:masters", "scheduler.json")
        self.scheduler = Child(
            "kube-scheduler",
            [
                str(programs / "kube-scheduler"),
                f"--kubeconfig={scheduler}",
                f"--authentication-kubeconfig={scheduler}",
                f"--authorization-kubeconfig={scheduler}",
                "--leader-elect=false",
                "--secure-port=0",
            ],
            folder,
        )
        self.node = Child("node", self._node_command(), folder)
        self._dns = Dns(HOST, self._addresses)

    def start(self) -> None:
        """Until the node is Ready; on failure nothing keeps running."""
        try:
            super().start()
            self._dns.start()
            self.scheduler.start()
            make_cgroups(self.name)
            self.node.start()
            run(["ip", "link", "set", f"{self.wire}n", "netns", str(self._first_pid()), "name", "node0"])
            run(["ip", "route", "replace", PODS, "via", NODE])
            run(["ip", "route", "replace", SERVICES, "via", NODE])
            self.wait_until(self._ready, "the node is Ready", timeout=120)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.node.kill()
        super().stop()
        self._dns.stop()
        self._janitor.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def get(self, path: str) -> dict[str, Any]:
        return self.request("GET", path)

    def inside(self, *command: str, timeout: float = 60) -> str:
        """Run a program in the node's namespaces."""
        return run(
            ["nsenter", "-t", str(self._first_pid()), "--net", "--mount", "--pid", "--", *command], timeout=timeout
        )

    def _children(self) -> list[Child]:
        return [*super()._children(), self.scheduler, self.node]

    def _node_command(self) -> list[str]:
        script = str(Path(__file__).with_name("node.sh"))
        arguments = [str(self.folder), str(self.programs), NODE, HOST, PODS, self.name, *map(str, self._images)]
        spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        return [*spaces, "bash", script, *arguments]

    def _first_pid(self) -> int:
        """The node's PID 1 as this machine sees it: unshare forks, so it is its child."""
        parent = self.node.pid
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.node.check()
            found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            if found:
                return int(found[0])
            time.sleep(0.01)
        raise ControlPlaneError("the node's first process did not start")

    def _ready(self) -> bool:
        try:
            node = self.get(f"/api/v1/nodes/{self.name}")
        except ControlPlaneError:
            return False
        return any(found["type"] == "Ready" and found["status"] == "True" for found in node["status"]["conditions"])

    def _addresses(self, service: str, namespace: str) -> list[str] | None:
        """For the DNS: None for no such Service, OSError while the API server cannot say."""
        try:
            found = self.get(f"/api/v1/namespaces/{namespace}/services/{service}")
        except ControlPlaneError as error:
            if error.status == 404:
                return None
            raise OSError(str(error)) from error
        address = found["spec"]["clusterIP"]
        if address != "None":
            return [address]
        selector = f"?labelSelector=kubernetes.io/service-name%3D{service}"
        slices = self.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices{selector}")["items"]
        endpoints = [endpoint for found in slices for endpoint in found.get("endpoints") or []]
        return [address for endpoint in endpoints for address in endpoint["addresses"]]

    def _record_reads_too(self) -> None:
        """Of the installed programs, which must not be refused anything."""
        ours = {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{SYSTEM}"]}
        policy = {**audit.POLICY, "rules": [ours, *audit.POLICY["rules"]]}
        (self.folder / "audit-policy.json").write_text(json.dumps(policy))

    def _client_certificate(self) -> None:
        """How the API server logs in to the kubelet: its own CA, which is all that the kubelet trusts."""
        run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "30",
                "-subj", "/O=system:masters/CN=kube-apiserver-kubelet-client", "-addext", "extendedKeyUsage=clientAuth",
                "-keyout", str(self.folder / "kubelet-client.key"), "-out", str(self.folder / "kubelet-client.crt"),
            ]
        )  # fmt: skip
