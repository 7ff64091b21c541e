"""The operator as a process of its own, logged in as exactly its ServiceAccount, beside a real API server and store."""

import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .child import Child
from .control_plane import free_port

NAMESPACE = "headgate-system"
ACCOUNT = "headgate-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
IMAGE = "example/worker:1"
STORES = """
stores:
- {{name: default, urlFile: {url_file}, keyPrefix: rq, workerSecretName: headgate-store}}
- {{name: elsewhere, urlFile: {url_file}, keyPrefix: elsewhere, workerSecretName: s, namespaces: [nobody-lives-here]}}
workerDefaults:
  "*": {{image: "{image}"}}
"""


class OperatorProcess:
    """`start` and `kill` any number of times; every start is another identity. Its log is appended to one file."""

    def __init__(self, name: str, folder: Path, kubeconfig: Path, store_url: str, **environ: str) -> None:
        self.port = free_port()
        self.url_file = folder / f"{name}-store-url"
        self.url_file.write_text(store_url)
        self.stores_file = folder / f"{name}-stores.yaml"
        self.stores_file.write_text(STORES.format(url_file=self.url_file, image=IMAGE))
        self.environ = {
            "HEADGATE_STORES_FILE": str(self.stores_file),
            "HEADGATE_POD_NAME": name,
            "HEADGATE_HOST": "127.0.0.1",
            "HEADGATE_PORT": str(self.port),
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            **environ,
        }
        self._name, self._folder = name, folder
        self._child = self._new_child()

    def _new_child(self) -> Child:
        program = str(Path(sys.executable).with_name("headgate-operator"))
        pairs = [f"{key}={value}" for key, value in self.environ.items()]
        return Child(f"operator-{self._name}", ["env", "-i", *pairs, program], self._folder)

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def log(self) -> str:
        return self._child.log.read_text() if self._child.log.exists() else ""

    def start(self) -> "OperatorProcess":
        self._child = self._new_child()
        self._child.start()
        return self

    def kill(self) -> None:
        self._child.kill()

    def signal(self, number: signal.Signals) -> None:
        assert self._child.pid is not None
        os.kill(self._child.pid, number)

    def ended(self, timeout: float = 40.0) -> int:
        """Wait for its end; the exit code."""
        return self._child.wait(timeout)

    def get(self, path: str) -> tuple[int, str]:
        """(status, text) of its own HTTP port; status 0 while it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    @property
    def leads(self) -> bool:
        return self.metric("headgate_leader") == 1

    @property
    def settled(self) -> bool:
        """It leads, has listed everything and has nothing left to do."""
        return self.leads and self.ready and self.metric("headgate_workqueue_depth") == 0

    def metric(self, line: str) -> float | None:
        """The value of one series, named as /metrics shows it; None when there is none."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else None


def until(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Poll until the condition holds and return its value; AssertionError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {seconds:g} s: {what}")
        time.sleep(0.05)


def policy(name: str, **spec: Any) -> str:
    """A QueuePolicy for kubectl."""
    return manifest("QueuePolicy", name, spec)


def budget(name: str, **spec: Any) -> str:
    return manifest("Budget", name, spec)


def http_policy(name: str, *rules: dict[str, Any], **spec: Any) -> str:
    return manifest("HTTPPolicy", name, {"rules": list(rules), **spec})


def periodic_task(name: str, **spec: Any) -> str:
    """Of every minute, with a template of its own."""
    template = {"spec": {"containers": [{"name": "worker", "image": "registry.example/app:1"}]}}
    return manifest("PeriodicTask", name, {"schedule": "* * * * *", "function": "a.b", "template": template, **spec})


def manifest(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "headgate.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
