"""A stranger's first quarter of an hour: install, test, the whole example in real pods, and the question why."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from tests.cluster.control_plane import ControlPlaneError

from .images import ROOT, TASKFORCE
from .installation import Installation
from .node import Cluster
from .objects import policy, reason
from .recorder import Recorder

EXAMPLE = ROOT / "deploy" / "examples" / "taskforce"


def test_everything_is_ready_and_helm_test_is_green(installed: Installation) -> None:
    installed.ready()
    assert "Phase:          Succeeded" in installed.helm("test", "headgate", "--timeout", "60s")
    crds = installed.cluster.kubectl("get", "crd", "-o", "name")
    for kind in ("queuepolicies", "budgets", "httppolicies", "periodictasks"):
        assert f"customresourcedefinition.apiextensions.k8s.io/{kind}.headgate.dev" in crds


def test_the_example_runs_in_real_pods(cluster: Cluster, installed: Installation, namespace: str) -> None:
    """Nine queues, HTTP limits, three tasks: the example's own files with the image's name in them, nothing else."""
    texts = [path.read_text() for path in sorted((EXAMPLE / "policies").glob("*.yaml"))]
    texts.append((EXAMPLE / "cluster.yaml").read_text())
    manifest = "\n---\n".join(texts).replace("image: taskforce:1", f"image: {TASKFORCE}")
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=manifest)
    installed.wait(namespace, "queuepolicies", timeout=120)
    installed.wait(namespace, "periodictasks")
    installed.wait(namespace, "deployments", "condition=Available")

    cluster.wait_until(lambda: installed.store().zcard("rq:finished:emails") > 5, "jobs finish", timeout=60)
    backend = cluster.get(f"/api/v1/namespaces/{namespace}/services/backend")["spec"]["clusterIP"]
    installed.wait(namespace, "httppolicies")
    answers = [status(f"http://{backend}/api/admin/statistics") for _ in range(32)]
    assert answers == [200] * 30 + [429] * 2

    cluster.wait_until(lambda: runs_succeeded(cluster, namespace) >= 3, "each task ran", timeout=130)
    reasons = [reason(found, "Ready") for found in installed.policies(namespace)]
    assert reasons == ["InForce"] * 9


def test_kubectl_headgate_explain_names_the_gate_that_holds_a_queue(
    cluster: Cluster, installed: Installation, namespace: str, recorder: Recorder
) -> None:
    name = f"narrow-{namespace}"
    installed.apply(namespace, policy(name, recorder.address, concurrency={"perWorker": 2, "total": 1}))
    installed.wait(namespace, f"queuepolicy/{name}")
    jobs = [installed.queue(name).enqueue("e2e_app.nap", 8) for _ in range(2)]
    cluster.wait_until(lambda: recorder.started(name) == 1, "one job runs")
    said = installed.headgate("explain", name)
    assert "1 running, 1 queued" in said
    assert "held by concurrency.total" in said
    assert jobs[0].id in said, "and who has the place"
    assert name in installed.headgate("top")
    assert "paused for 10 min" in installed.headgate("pause", name, "--for", "10m", "--reason", "e2e")
    assert "held by stop" in installed.headgate("explain", name)
    installed.headgate("resume", name)

    installed.change(namespace, name, {"stopPolicy": "Hold"})
    installed.wait(namespace, f"queuepolicy/{name}", "jsonpath={.status.conditions[?(@.type=='Ready')].reason}=Held")
    assert "held by stop" in installed.headgate("explain", name)


def test_writers_of_policies_need_the_right_to_make_pods(cluster: Cluster, installed: Installation) -> None:
    """The admission policy is in force: nobody makes workers beside the operator."""
    intruder = policy("intruder", "-")
    with pytest.raises(ControlPlaneError, match="workers cannot live in the operator's own namespace"):
        installed.apply(installed.namespace, intruder)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  http, by the callers
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def runs_succeeded(cluster: Cluster, namespace: str) -> int:
    """How many of the tasks had a Job that completed."""
    jobs = cluster.get(f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"]
    done = [job for job in jobs if (job.get("status") or {}).get("succeeded")]
    return len({job["metadata"]["ownerReferences"][0]["name"] for job in done})
