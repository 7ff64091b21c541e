"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, no node.

Pods stay Pending. Everything else is the real thing: admission, CEL, RBAC, ServiceAccount tokens, controllers, garbage
collection. The servers end with the process that started them.
"""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import audit, servers
from .api import Api, ControlPlaneError
from .child import DIES_WITH_US, Child
from .credentials import ADMIN, Credentials

__all__ = ["ControlPlane", "ControlPlaneError"]


class ControlPlane:
    """`programs`: the folder with the binaries. `folder`: an existing empty folder for data, logs and kubeconfigs.

    `url`: `https://127.0.0.1:<port>`, the same for the whole life. `kubeconfig`: file of a cluster administrator.
    `certificate`: PEM file of the CA. All times are seconds. Calls block; in async tests use `asyncio.to_thread`.
    """

    def __init__(
        self,
        programs: Path,
        folder: Path,
        host: str = "127.0.0.1",
        names: Sequence[str] = (),
        apiserver: Sequence[str] = (),
        controller_manager: Sequence[str] = (),
    ) -> None:
        """`host` is where it listens, `names` what else its certificate is for, the rest are more flags, which win."""
        self.programs = programs
        self.folder = folder
        self.port = free_port(host)
        self.url = f"https://{host}:{self.port}"
        self.audit_log = folder / servers.AUDIT_LOG
        self._credentials = Credentials(folder, self.url, host, names)
        self._credentials.write()
        self.certificate = self._credentials.certificate
        self.kubeconfig = self._credentials.kubeconfig(ADMIN, self._credentials.admin_token, "admin.json")
        self._api = Api(self.port, self.certificate, self._credentials.admin_token, host)
        self.etcd = Child("etcd", servers.etcd(programs), folder)
        self.apiserver = Child(
            "kube-apiserver", [*servers.apiserver(programs, folder, self.port, host), *apiserver], folder
        )
        self.controller_manager = Child(
            "kube-controller-manager",
            [*servers.controller_manager(programs, self._credentials), *controller_manager],
            folder,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start all and wait until the API answers and the controllers act; on failure nothing keeps running.

        One after the other: together they only take the processor from each other.
        """
        try:
            self.etcd.start()
            self.start_apiserver()
            self.wait_until(lambda: self._api.answers(default_account("default")), "the controllers work")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all servers at once and delete the etcd data; logs and kubeconfigs stay. Cannot be started again."""
        for child in reversed(self._children()):
            child.kill()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def stop_apiserver(self) -> None:
        """SIGKILL the API server: from here on connections are refused. etcd and the controllers keep running."""
        self.apiserver.kill()

    def start_apiserver(self) -> None:
        """Start the API server on the same port and data, and wait until it is ready; nothing to do when it runs.

        The controllers start anew with it: their back-off would leave them idle for up to a minute.
        """
        if self.apiserver.running:
            return
        self.controller_manager.kill()
        self.apiserver.start()
        self.wait_ready()
        self.controller_manager.start()

    @contextmanager
    def apiserver_away(self) -> Iterator[None]:
        """The API server is away inside, and back and ready afterwards, also when the body fails."""
        self.stop_apiserver()
        try:
            yield
        finally:
            self.start_apiserver()

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until the API server answers /readyz with 200."""
        self.wait_until(lambda: self._api.answers("/readyz"), "the API server is ready", timeout)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = 30.0) -> None:
        """Poll `condition` every 20 ms. ControlPlaneError with `what` after `timeout`, ChildError for a dead server."""
        deadline = time.monotonic() + timeout
        while not condition():
            for child in self._children():
                child.check()
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"not after {timeout:g} s: {what}")
            time.sleep(0.02)

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """One API request as administrator; the JSON answer. ControlPlaneError with `status` from 400 up."""
        return self._api.request(method, path, body, content_type)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None, timeout: float = 60.0
    ) -> str:
        """Run kubectl as administrator, or with `kubeconfig`; returns stdout.

        ControlPlaneError with its stderr when it fails, subprocess.TimeoutExpired after `timeout`.
        """
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
            "KUBERC": "off",
        }
        result = subprocess.run(
            [*DIES_WITH_US, str(self.programs / "kubectl"), *arguments],
            env=environment,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if result.returncode:
            raise ControlPlaneError(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig file with a fresh token (24 h) of a ServiceAccount that exists; its namespace is the default."""
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        answer = self.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", asked)
        user = f"system:serviceaccount:{namespace}:{name}"
        return self._credentials.kubeconfig(user, answer["status"]["token"], f"{namespace}.{name}.json", namespace)

    def add_user(self, user: str, group: str, file_name: str) -> Path:
        """A kubeconfig file of one more user; before `start`."""
        return self._credentials.kubeconfig(user, self._credentials.add_user(user, group), file_name)

    def create_namespace(self, name: str, timeout: float = 30.0) -> None:
        """Create a namespace and wait for its default ServiceAccount, without which it takes no pods."""
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.wait_until(
            lambda: self._api.answers(default_account(name)), f"namespace {name} has its ServiceAccount", timeout
        )

    def writes(
        self, since: float | None = None, user: str | None = None, namespace: str | None = None
    ) -> list[audit.Write]:
        """The recorded writes that arrived at `since` (`time.time()`) or later, of `user`, in `namespace`."""
        return [
            write
            for write in audit.read(self.audit_log)
            if (since is None or write.at >= since)
            and (user is None or write.user == user)
            and (namespace is None or write.namespace == namespace)
        ]

    def _children(self) -> list[Child]:
        return [self.etcd, self.apiserver, self.controller_manager]


def default_account(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/default"


def free_port(host: str = "127.0.0.1") -> int:
    """A free port of `host` below the ephemeral range, so that nobody is given it while the API server is away."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
