"""The one-machine kubelet, with small Python and shell programs as containers. Every claim is about real processes."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from headgate.control.ports import POD, Manifest
from headgate_cli.local.container_run import Machine
from headgate_cli.local.memory_cluster import MemoryCluster
from headgate_cli.local.memory_pods import CONFIG_MAP, SECRET, MemoryPods
from headgate_cli.local.pods import Kubelet

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
NAMESPACE = "local"
SERVER = """
import http.server, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if pathlib.Path(sys.argv[1] + self.path).exists() else 503)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer((os.environ["IP"], 9180), Handler).serve_forever()
"""
IP = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def pod(
    name: str = "worker-1", /, *, grace: int = 5, volumes: Any = (), spec: Any = None, **container: Any
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "a"}},
        "spec": {
            "containers": [{"name": "worker", "image": "worker:1", **container}],
            "terminationGracePeriodSeconds": grace,
            "volumes": list(volumes),
            **(spec or {}),
        },
    }


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def http(path: str, **settings: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "metrics"}, "periodSeconds": 0.05, "failureThreshold": 2, **settings}


class Node:
    """A kubelet over a cluster in memory, and what it said."""

    def __init__(self, cluster: MemoryCluster, kubelet: Kubelet, lines: list[tuple[str, str]]) -> None:
        self.cluster = cluster
        self.kubelet = kubelet
        self.lines = lines

    def said(self, name: str = "worker-1") -> list[str]:
        return [line for pod, line in self.lines if pod == name]

    async def create(self, manifest: Manifest) -> None:
        await self.cluster.apply(POD, manifest, manager="test")

    async def read(self, name: str = "worker-1") -> Manifest | None:
        return await self.cluster.get(POD, NAMESPACE, name)

    async def status(self, name: str = "worker-1") -> Manifest:
        found = await self.read(name)
        return found.get("status", {}) if found else {}

    async def container(self, name: str = "worker-1") -> Manifest:
        (container,) = (await self.status(name)).get("containerStatuses", [{}])
        return dict(container)

    async def delete(self, name: str = "worker-1") -> None:
        found = await self.read(name)
        assert found
        await self.cluster.delete(POD, NAMESPACE, name, found["metadata"]["uid"])


@pytest.fixture
async def node(memory_cluster: MemoryCluster, clock: Any, tmp_path: Path) -> AsyncIterator[Node]:
    lines: list[tuple[str, str]] = []
    machine = Machine(
        folder=tmp_path / "pods",
        cwd=tmp_path,
        environ={"PATH": os.environ["PATH"], "INHERITED": "yes"},
        clock=clock,
        say=lambda name, line: lines.append((name, line)),
        first_backoff=0.05,
        longest_backoff=0.2,
    )
    kubelet = Kubelet(MemoryPods(memory_cluster), machine)
    running = asyncio.create_task(kubelet.run())
    yield Node(memory_cluster, kubelet, lines)
    running.cancel()
    kubelet.end(grace=0)
    await kubelet.ended()
    assert not list((tmp_path / "pods").glob("*"))


def alive(pid: int) -> bool:
    """A zombie is dead: whoever should reap it may take its time."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_pod_becomes_a_process_with_its_environment_and_files(node: Node, eventually: Eventually) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store", "namespace": NAMESPACE}}
    await node.cluster.put(SECRET, {**secret, "stringData": {"url": "redis://here"}})
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": NAMESPACE}}
    await node.cluster.put(CONFIG_MAP, {**config, "data": {"COLOUR": "red", "more": "x"}})
    show = (
        "import json, os, time; print(json.dumps([dict(os.environ), open(os.environ['URL_FILE']).read()]), flush=True)"
    )
    env = [
        {"name": "URL_FILE", "value": "/etc/headgate/store/url"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "GREETING", "value": "$(NAME) of $(NOBODY), $$(NAME)"},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "store", "key": "url"}}},
        IP,
    ]
    await node.create(
        pod(
            command=python(show + "; time.sleep(60)"),
            env=env,
            envFrom=[{"configMapRef": {"name": "app"}, "prefix": "APP_"}],
            volumeMounts=[
                {"name": "store", "mountPath": "/etc/headgate/store", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
            volumes=[{"name": "store", "secret": {"secretName": "store"}}, {"name": "tmp", "emptyDir": {}}],
        )
    )

    async def it_has_spoken() -> bool:
        return bool(node.said())

    await eventually(it_has_spoken)
    environment, url = json.loads(node.said()[0])
    status = await node.status()
    assert url == "redis://here"
    assert environment["NAME"] == "worker-1"
    assert environment["LABEL"] == "a"
    assert environment["GREETING"] == "worker-1 of $(NOBODY), $(NAME)"
    assert environment["FROM_SECRET"] == "redis://here"
    assert (environment["APP_COLOUR"], environment["INHERITED"]) == ("red", "yes")
    assert environment["IP"] == status["podIP"]
    assert status["podIP"].startswith("127.77.")
    assert os.access(environment["TMPDIR"], os.W_OK)
    assert status["phase"] == "Running"


async def test_two_pods_listen_on_the_same_port(node: Node, eventually: Eventually, tmp_path: Path) -> None:
    (tmp_path / "readyz").touch()
    ports = [{"name": "metrics", "containerPort": 9180}]
    for name in ("worker-1", "worker-2"):
        await node.create(
            pod(name, command=python(SERVER, str(tmp_path)), env=[IP], ports=ports, readinessProbe=http("/readyz"))
        )

    async def both_are_ready() -> bool:
        return (await node.container()).get("ready") and (await node.container("worker-2")).get("ready")  # type: ignore[return-value]

    await eventually(both_are_ready)
    assert (await node.status())["podIP"] != (await node.status("worker-2"))["podIP"]


async def test_readiness_comes_and_goes_with_its_probe(node: Node, eventually: Eventually, tmp_path: Path) -> None:
    ports = [{"name": "metrics", "containerPort": 9180}]
    await node.create(pod(command=python(SERVER, str(tmp_path)), env=[IP], ports=ports, readinessProbe=http("/readyz")))

    async def it_is_ready() -> bool:
        conditions = {item["type"]: item["status"] for item in (await node.status()).get("conditions", [])}
        return conditions.get("Ready") == "True" and (await node.container())["ready"] is True

    async def it_has_started() -> bool:
        return (await node.container()).get("started") is True

    async def it_is_not_ready() -> bool:
        return not await it_is_ready()

    await eventually(it_has_started)
    assert not await it_is_ready()
    (tmp_path / "readyz").touch()
    await eventually(it_is_ready)
    (tmp_path / "readyz").unlink()
    await eventually(it_is_not_ready)
    assert (await node.container())["restartCount"] == 0


async def test_a_failed_liveness_probe_restarts_the_process(node: Node, eventually: Eventually, tmp_path: Path) -> None:
    (tmp_path / "healthz").touch()
    ports = [{"name": "metrics", "containerPort": 9180}]
    await node.create(
        pod(
            command=python(SERVER, str(tmp_path)),
            env=[IP],
            ports=ports,
            startupProbe=http("/healthz", failureThreshold=100),
            livenessProbe=http("/healthz", terminationGracePeriodSeconds=1),
        )
    )

    async def it_has_started() -> bool:
        return (await node.container()).get("started") is True

    async def it_was_restarted() -> bool:
        return bool((await node.container()).get("restartCount"))

    await eventually(it_has_started)
    (tmp_path / "healthz").unlink()
    await eventually(it_was_restarted)
    assert any("liveness probe" in line and "failed" in line for line in node.said())
    assert "Unhealthy" in {event.reason for event in node.cluster.events}


async def test_what_ends_is_started_again_with_growing_pauses(node: Node, eventually: Eventually) -> None:
    await node.create(pod(command=["sh", "-c", "echo started; exit 7"]))

    async def it_was_restarted_often() -> bool:
        return (await node.container()).get("restartCount", 0) >= 5

    await eventually(it_was_restarted_often)
    said = node.said()
    pauses = [line.rpartition("again ")[2] for line in said if line.startswith("ended with exit code 7")]
    assert pauses[:5] == ["at once", "in 0.05 s", "in 0.1 s", "in 0.2 s", "in 0.2 s"]
    assert said.count("started") >= 5
    container = await node.container()
    assert container["lastState"]["terminated"]["exitCode"] == 7
    assert (await node.status())["phase"] == "Running"


async def test_deletion_is_term_then_time_to_finish(node: Node, eventually: Eventually) -> None:
    await node.create(
        pod(command=["sh", "-c", "trap 'echo asked; sleep 0.3; echo done; exit 0' TERM; echo up; sleep 60 & wait"])
    )

    async def it_is_up() -> bool:
        return "up" in node.said()

    async def it_is_gone() -> bool:
        return await node.read() is None

    await eventually(it_is_up)
    await node.delete()
    await eventually(it_is_gone)
    assert node.said()[-2:] == ["asked", "done"]


async def test_who_ignores_term_is_killed_after_the_grace_with_its_whole_group(
    node: Node, eventually: Eventually
) -> None:
    command = ["sh", "-c", "trap '' TERM; sleep 60 & echo $$$$ $!; wait; sleep 60"]
    await node.create(pod(command=command, grace=1))

    async def it_is_up() -> bool:
        return bool(node.said())

    async def it_is_gone() -> bool:
        return await node.read() is None

    await eventually(it_is_up)
    pids = [int(word) for word in node.said()[0].split()]
    loop = asyncio.get_running_loop()
    began = loop.time()
    await node.delete()
    await asyncio.sleep(0.5)
    assert all(map(alive, pids))
    await eventually(it_is_gone)
    assert loop.time() - began >= 1

    async def nobody_is_left() -> bool:
        return not any(map(alive, pids))

    await eventually(nobody_is_left)


async def test_a_program_that_does_not_exist_is_named_and_tried_again(node: Node, eventually: Eventually) -> None:
    await node.create(pod(command=["no-such-program"]))

    async def it_was_tried_twice() -> bool:
        return node.said().count("no-such-program cannot be started: No such file or directory") >= 2

    await eventually(it_was_tried_twice)
    assert (await node.container())["lastState"]["terminated"]["exitCode"] == 126


async def test_a_folder_that_went_away_is_no_end_of_the_pod(node: Node, eventually: Eventually, tmp_path: Path) -> None:
    moved = tmp_path.with_name("moved-away")
    os.rename(tmp_path, moved)
    await node.create(pod(command=["sh", "-c", "echo up; sleep 60"]))

    async def it_says_so() -> bool:
        return any(line.startswith("cannot be started: ") for line in node.said())

    async def it_is_up() -> bool:
        return "up" in node.said()

    await eventually(it_says_so)
    os.rename(moved, tmp_path)
    await eventually(it_is_up)


async def test_a_pod_that_vanished_is_ended_too(node: Node, eventually: Eventually) -> None:
    await node.create(pod(command=["sh", "-c", "echo $$$$; exec sleep 60"]))

    async def it_is_up() -> bool:
        return bool(node.said())

    await eventually(it_is_up)
    found = await node.read()
    assert found
    await node.cluster.delete(POD, NAMESPACE, "worker-1", found["metadata"]["uid"], grace_seconds=0)

    async def its_process_is_gone() -> bool:
        return not alive(int(node.said()[0]))

    await eventually(its_process_is_gone)


async def test_a_crash_loop_ends_at_once_when_it_is_deleted(node: Node, eventually: Eventually) -> None:
    await node.create(pod(command=["sh", "-c", "exit 1"], grace=3600))

    async def it_backs_off() -> bool:
        state = (await node.container()).get("state", {})
        return state.get("waiting", {}).get("reason") == "CrashLoopBackOff"

    async def it_is_gone() -> bool:
        return await node.read() is None

    await eventually(it_backs_off)
    await node.delete()
    await eventually(it_is_gone)


async def test_what_a_pod_needs_may_come_later(node: Node, eventually: Eventually) -> None:
    volume = {"name": "store", "secret": {"secretName": "store"}}
    await node.create(pod(command=["sh", "-c", "echo up; sleep 60"], volumes=[volume]))

    async def it_waits() -> bool:
        waiting = (await node.container()).get("state", {}).get("waiting", {})
        return str(waiting.get("message")).startswith("Secret local/store does not exist: create it")

    async def it_is_up() -> bool:
        return "up" in node.said()

    await eventually(it_waits)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store", "namespace": NAMESPACE}}
    await node.cluster.put(SECRET, {**secret, "stringData": {"url": "redis://here"}})
    await eventually(it_is_up)


SIDECAR = {"containers": [{"name": "worker", "command": ["true"]}, {"name": "proxy", "image": "proxy:1"}]}


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (pod(spec=SIDECAR), r"spec.containers \(proxy\) is not supported on one machine: exactly one container"),
        (pod(command=["true"], spec={"initContainers": []}), "spec.initContainers is not supported"),
        (pod(command=["true"], lifecycle={}), "worker.lifecycle is not supported"),
        (pod(command=["true"], livenessProbe={"exec": {}}), "worker.livenessProbe.exec is not supported"),
        (pod(command=["true"], volumes=[{"name": "disk", "hostPath": {}}]), "volume disk.hostPath is not supported"),
        (
            pod(command=["true"], spec={"restartPolicy": "OnFailure"}),
            r"spec.restartPolicy \(OnFailure\) is not supported",
        ),
        (pod(), "worker.command is missing"),
        (pod(command=["true"], env=[{"name": "CPU", "valueFrom": {"resourceFieldRef": {}}}]), r"worker.env\[CPU\]"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name(
    node: Node, eventually: Eventually, manifest: Manifest, sentence: str
) -> None:
    await node.create(manifest)

    async def it_is_refused() -> bool:
        waiting = (await node.container()).get("state", {}).get("waiting", {})
        return waiting.get("reason") == "UnsupportedField"

    await eventually(it_is_refused)
    conditions = {item["type"]: item for item in (await node.status())["conditions"]}
    message = conditions["Ready"]["message"]
    assert conditions["Ready"]["status"] == "False"
    assert [message] == node.said() == [event.message for event in node.cluster.events]
    assert re.search(sentence, message)


async def test_image_and_resources_are_mentioned_once(node: Node, eventually: Eventually) -> None:
    for name in ("worker-1", "worker-2"):
        await node.create(pod(name, command=["sleep", "60"], resources={"limits": {"memory": "1Gi"}}))

    async def both_run() -> bool:
        return all([(await node.status(name)).get("phase") == "Running" for name in ("worker-1", "worker-2")])

    await eventually(both_run)
    assert node.said("") == ["image, resources: not applied here, workers are processes of this machine"]


async def test_a_drain_gives_every_pod_its_own_grace(node: Node, eventually: Eventually) -> None:
    for name in ("worker-1", "worker-2"):
        await node.create(pod(name, command=["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; sleep 60 & wait"]))

    async def both_are_up() -> bool:
        return node.lines.count(("worker-1", "up")) == node.lines.count(("worker-2", "up")) == 1

    await eventually(both_are_up)
    node.kubelet.end()
    await node.kubelet.ended()
    assert {line for line in node.lines if line[1] == "bye"} == {("worker-1", "bye"), ("worker-2", "bye")}
    assert await node.cluster.list(POD) == []


async def test_handing_back_is_two_interrupts(node: Node, eventually: Eventually) -> None:
    say = "signal.signal(signal.SIGINT, lambda *_: print('interrupted', flush=True)); print('up', flush=True)"
    await node.create(pod(command=[sys.executable, "-c", f"import signal\n{say}\nwhile True: signal.pause()"]))

    async def it_is_up() -> bool:
        return "up" in node.said()

    async def it_was_interrupted_twice() -> bool:
        return node.said().count("interrupted") == 2

    await eventually(it_is_up)
    await node.kubelet.hand_back()
    await eventually(it_was_interrupted_twice)


async def test_children_end_with_the_process_that_started_them(tmp_path: Path, eventually: Eventually) -> None:
    """Also when it is killed with SIGKILL, which nobody can handle."""
    code = """
import asyncio, pathlib, sys
from headgate_cli.local.child import start_child
async def main():
    child = await start_child(["sleep", "60"], env={"PATH": sys.argv[1]}, cwd=pathlib.Path("/"))
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, os.environ["PATH"], stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    child = int(await parent.stdout.readline())
    assert alive(child)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    async def the_child_is_gone() -> bool:
        return not alive(child)

    await eventually(the_child_is_gone)
