"""An installation's life under load: older version, upgrade with a changed CRD, rollback, uninstall, install again.

The release of the other scenarios is replaced for it and put back at the end; its store lives outside of the chart.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.control_plane import ControlPlaneError

from .images import TAG, VALKEY
from .installation import CHART, VALUES, Installation
from .load import Load
from .node import Cluster
from .objects import deployment, policy, service
from .recorder import Recorder

TOTAL = 3
STORE = "store"
CRD = "customresourcedefinition/queuepolicies.headgate.dev"
"""The CRD that differs: the older version does not know `workers.memory`."""


@pytest.fixture
def lifecycle(cluster: Cluster, installed: Installation, namespace: str) -> Iterator[Installation]:
    """The installation, with a store of its own in `namespace` as only store."""
    installed.apply(namespace, *store_objects())
    installed.wait(namespace, f"deployment/{STORE}", "condition=Available")
    url = f"redis://{STORE}.{namespace}.svc:6379"
    for where, name in ((installed.namespace, "outside-store"), (namespace, "outside-store")):
        cluster.kubectl("-n", where, "create", "secret", "generic", name, f"--from-literal=url={url}")
    yield installed
    installed.helm("upgrade", "--install", "headgate", str(CHART), "-f", str(installed.values))
    installed.ready()
    cluster.kubectl("-n", installed.namespace, "delete", "secret", "outside-store")


def test_upgrade_rollback_uninstall_and_install_again_under_load(
    cluster: Cluster, lifecycle: Installation, namespace: str, recorder: Recorder, tmp_path: Path
) -> None:
    name = f"upgrade-{namespace}"
    values = write_values(tmp_path)
    release = ["headgate", "-f", str(values)]
    previous = older_chart(tmp_path)

    lifecycle.helm("upgrade", release[0], str(previous), *release[1:], "--set", f"image.tag={TAG}-previous")
    lifecycle.ready()
    assert not knows_memory(cluster)
    limits: dict[str, Any] = {"concurrency": {"perWorker": 2, "total": TOTAL}, "workers": {"replicas": 2}}
    lifecycle.apply(namespace, policy(name, recorder.address, **limits))
    lifecycle.in_force(namespace, name)
    workers = uids(lifecycle, namespace)

    with Load(lifecycle.outside_queue(namespace, STORE, name), seconds=0.5) as load:
        cluster.wait_until(lambda: recorder.started(name) > TOTAL, "jobs run")

        lifecycle.helm("upgrade", release[0], str(CHART), *release[1:])
        lifecycle.ready()
        assert knows_memory(cluster), "the upgrade brings the new CRD"
        lifecycle.change(namespace, name, {"backlog": {"limit": 1000}})
        lifecycle.in_force(namespace, name)

        lifecycle.helm("rollback", "headgate")
        lifecycle.ready()
        assert not knows_memory(cluster), "and the rollback the old one"
        lifecycle.change(namespace, name, {"backlog": {"limit": 2000}})
        lifecycle.in_force(namespace, name)

        said = lifecycle.helm("uninstall", "headgate", "--cascade", "foreground", "--wait", "--timeout", "120s")
        assert "queuepolicies.headgate.dev" in said, "helm says what it kept"
        assert "NotFound" in refusal(cluster, "-n", lifecycle.namespace, "get", "deployment", "headgate-operator")
        assert not knows_memory(cluster), "the CRD stays"
        assert lifecycle.read(namespace, "queuepolicies", name)["spec"]["concurrency"]["total"] == TOTAL
        before = recorder.started(name)
        cluster.wait_until(lambda: recorder.started(name) > before + 5, "workers go on without an operator")

        lifecycle.helm("install", release[0], str(CHART), *release[1:])
        lifecycle.ready()
        lifecycle.change(namespace, name, {"backlog": {"limit": 3000}})
        lifecycle.in_force(namespace, name)
        assert uids(lifecycle, namespace) == workers, "no worker was restarted by any of it"
    cluster.wait_until(lambda: len(recorder.ended(name)) == len(load.jobs), "all jobs are done", timeout=90)
    assert recorder.starts(name) == dict.fromkeys(load.jobs, 1), "each ran once"
    assert recorder.most_at_once(name) <= TOTAL
    cluster.kubectl("-n", namespace, "delete", "queuepolicy", name)
    cluster.wait_until(lambda: not lifecycle.pods(namespace), "the workers ended", timeout=60)


def older_chart(folder: Path) -> Path:
    """The chart as the version before: another number, and a CRD that lacks a field."""
    target = folder / "previous"
    shutil.copytree(CHART, target)
    chart = yaml.safe_load((target / "Chart.yaml").read_text())
    chart["version"] = "0.0.9"
    (target / "Chart.yaml").write_text(yaml.safe_dump(chart))
    file = target / "files/crds/queuepolicies.yaml"
    text = yaml.safe_load(file.read_text())
    for version in text["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        del spec["properties"]["workers"]["properties"]["memory"]
    # The chart's template looks for the line `metadata:`.
    file.write_text("# older\n" + yaml.safe_dump(text, sort_keys=False))
    return target


def knows_memory(cluster: Cluster) -> bool:
    path = "{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.workers.properties.memory.type}"
    return bool(cluster.kubectl("get", CRD, "-o", f"jsonpath={path}"))


def uids(installed: Installation, namespace: str) -> set[str]:
    """Of the worker pods, with their restarts."""
    return {
        f"{pod['metadata']['uid']}/{status['restartCount']}"
        for pod in installed.pods(namespace)
        for status in pod["status"]["containerStatuses"]
    }


def refusal(cluster: Cluster, *arguments: str) -> str:
    with pytest.raises(ControlPlaneError) as caught:
        cluster.kubectl(*arguments)
    return str(caught.value)


def write_values(folder: Path) -> Path:
    """One store, in a Secret that is not the chart's."""
    store = {"name": "default", "secretName": "outside-store", "workerSecretName": "outside-store", "namespaces": ["*"]}
    target = folder / "values.json"
    target.write_text(json.dumps({"image": VALUES["image"], "valkey": {"enabled": False}, "stores": [store]}))
    return target


def store_objects() -> list[dict[str, Any]]:
    """A Valkey as an administrator of the cluster might run it."""
    command = ["valkey-server", "--save", "", "--protected-mode", "no", "--dir", "/tmp"]
    probe = {"tcpSocket": {"port": 6379}, "periodSeconds": 1}
    return [deployment(STORE, VALKEY, command, readinessProbe=probe), service(STORE, 6379)]
