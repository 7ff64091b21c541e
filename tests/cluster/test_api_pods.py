"""`pods.py` as the kubelet of a real control plane: Deployments become processes, and their end is a Pod's end."""

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.conftest import eventually  # noqa: F401  a fixture

from .api_pods import running_kubelet
from .control_plane import ControlPlane

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
def leave(*_):
    print("bye", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
print(os.getpid(), open(os.environ["URL_FILE"]).read(), flush=True)
http.server.HTTPServer((os.environ["IP"], 9180), Handler).serve_forever()
"""


def deployment(replicas: int, **env: str) -> str:
    ip = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    probe = {"httpGet": {"path": "/", "port": "metrics"}, "periodSeconds": 1}
    container = {
        "name": "worker",
        "image": "worker:1",
        "command": [sys.executable, "-c", SERVER],
        "env": [ip, *({"name": name, "value": value} for name, value in env.items())],
        "ports": [{"name": "metrics", "containerPort": 9180}],
        "volumeMounts": [{"name": "store", "mountPath": "/etc/store"}, {"name": "tmp", "mountPath": "/tmp"}],
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    spec = {
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "store", "secret": {"secretName": "store"}}, {"name": "tmp", "emptyDir": {}}],
    }
    return json.dumps({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
        },
    })  # fmt: skip


class Web:
    """The Deployment `web` and what its processes said."""

    def __init__(self, control_plane: ControlPlane, namespace: str, lines: list[tuple[str, str]]) -> None:
        self._control_plane = control_plane
        self._namespace = namespace
        self.lines = lines

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self._control_plane.kubectl(*arguments, "-n", self._namespace, stdin=stdin)

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifest)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "deployment", "web", "-o", "json"))["status"]
        return found

    def pids(self) -> dict[str, int]:
        """By Pod, the last that it said."""
        return {pod: int(line.split()[0]) for pod, line in self.lines if line.split()[0].isdecimal()}

    def running(self) -> set[int]:
        return {pid for pid in self.pids().values() if psutil.pid_exists(pid)}

    def ready(self, replicas: int) -> Callable[[], Awaitable[bool]]:
        async def as_many_are_ready() -> bool:
            status = self.status()
            counts = [status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")]
            return counts == [replicas] * 3 and len(self.running()) == replicas

        return as_many_are_ready


@pytest.fixture
async def web(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Web]:
    lines: list[tuple[str, str]] = []
    web = Web(control_plane, namespace, lines)
    web.kubectl("create", "secret", "generic", "store", "--from-literal=url=redis://here")
    say = lambda pod, line: lines.append((pod, line))  # noqa: E731
    async with running_kubelet(control_plane, namespace, tmp_path, say=say):
        yield web
    assert web.running() == set()


async def test_a_deployment_becomes_ready_processes_and_rolls(web: Web, eventually: Eventually) -> None:  # noqa: F811
    web.apply(deployment(2, URL_FILE="/etc/store/url"))
    await eventually(web.ready(2))
    assert all(line.endswith(" redis://here") for _, line in web.lines if line != "bye" and line[0].isdecimal())
    before = web.running()
    web.apply(deployment(2, URL_FILE="/etc/store/url", COLOUR="red"))
    await eventually(web.ready(2))
    assert web.running().isdisjoint(before)
    assert [line for _, line in web.lines].count("bye") == 2


async def test_scaling_in_and_deleting_end_processes_with_term(web: Web, eventually: Eventually) -> None:  # noqa: F811
    web.apply(deployment(2, URL_FILE="/etc/store/url"))
    await eventually(web.ready(2))
    web.kubectl("scale", "deployment", "web", "--replicas=1")
    await eventually(web.ready(1))
    (survivor,) = web.running()
    web.kubectl("delete", "pod", "--all", "--wait=false")

    async def another_took_its_place() -> bool:
        return len(web.running()) == 1 and survivor not in web.running()

    await eventually(another_took_its_place)
    web.kubectl("delete", "deployment", "web")

    async def nothing_is_left() -> bool:
        return not web.running() and not web.kubectl("get", "pods", "-o", "name")

    await eventually(nothing_is_left)
    assert [line for _, line in web.lines].count("bye") == 3


async def test_a_killed_process_starts_again_in_the_same_pod(web: Web, eventually: Eventually) -> None:  # noqa: F811
    web.apply(deployment(1, URL_FILE="/etc/store/url"))
    await eventually(web.ready(1))
    ((pod, pid),) = web.pids().items()
    os.kill(pid, 9)

    async def the_pod_counts_a_restart() -> bool:
        (container,) = json.loads(web.kubectl("get", "pod", pod, "-o", "json"))["status"]["containerStatuses"]
        return bool(container["restartCount"] == 1 and container["ready"])

    await eventually(the_pod_counts_a_restart)
    assert web.pids()[pod] != pid


async def test_pods_run_on_while_the_api_server_is_away(
    web: Web,
    control_plane: ControlPlane,
    eventually: Eventually,  # noqa: F811
) -> None:
    web.apply(deployment(1, URL_FILE="/etc/store/url"))
    await eventually(web.ready(1))
    (pid,) = web.running()
    with control_plane.apiserver_away():
        assert web.running() == {pid}
    await eventually(web.ready(1))
    assert web.running() == {pid}


async def test_a_sidecar_is_refused_by_name_without_a_storm_of_pods(web: Web, eventually: Eventually) -> None:  # noqa: F811
    manifest = json.loads(deployment(1, URL_FILE="/etc/store/url"))
    manifest["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "proxy:1"})
    web.apply(json.dumps(manifest))

    async def an_event_says_so() -> bool:
        notes = web.kubectl("get", "events.events.k8s.io", "-o", "jsonpath={.items[*].note}")
        return "spec.containers (proxy) is not supported on one machine" in notes

    await eventually(an_event_says_so)
    (pod,) = json.loads(web.kubectl("get", "pods", "-o", "json"))["items"]
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "UnsupportedField"
