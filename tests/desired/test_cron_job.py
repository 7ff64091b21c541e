"""The CronJob of a periodic task, as whole manifests in tests/golden and as single promises here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.control.stores import StoreEntry, WorkerDefaults
from headgate.desired.cron_job import cron_job
from headgate.desired.forbidden import refusals
from headgate.desired.wanted_task import WantedTask
from headgate.model.parse import parse
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate.names import POLICY_LABEL

GOLDEN = Path(__file__).parents[1] / "golden"
HEAD = {"apiVersion": "headgate.dev/v1alpha1"}
TEMPLATE = {
    "metadata": {"labels": {"team": "growth"}, "annotations": {"example.com/owner": "growth"}},
    "spec": {
        "serviceAccountName": "mailer",
        "containers": [
            {
                "name": "worker",
                "image": "registry.example/mailer:3",
                "env": [{"name": "REGION", "value": "eu"}],
                "resources": {"limits": {"memory": "512Mi"}},
                "securityContext": {"readOnlyRootFilesystem": False},
            }
        ],
    },
}


def wanted(spec: dict[str, Any], policy_spec: dict[str, Any] | None = None) -> WantedTask:
    base = {"schedule": "* * * * *", "function": "taskforce.tasks.sync"}
    if policy_spec is not None:
        base["queuePolicyRef"] = {"name": "campaigns"}  # type: ignore[assignment]
    metadata = {"name": "sync", "namespace": "mail", "uid": "00000000-0000-0000-0000-000000000002"}
    task = parse({**HEAD, "kind": "PeriodicTask", "metadata": metadata, "spec": {**base, **spec}})
    policy = None
    if policy_spec is not None:
        other = {"name": "campaigns", "namespace": "mail", "uid": "1"}
        found = parse({**HEAD, "kind": "QueuePolicy", "metadata": other, "spec": policy_spec})
        assert isinstance(found, QueuePolicy)
        policy = found
    assert isinstance(task, PeriodicTask)
    return WantedTask(task, policy, StoreEntry("default"), WorkerDefaults(image="registry.example/app:1"))


FULL = {
    "schedule": "0 3 * * 1-5",
    "timeZone": "Europe/Berlin",
    "stopPolicy": "Hold",
    "onOverlap": "RunLate",
    "deadlineSeconds": 900,
    "retries": 2,
    "args": [1],
}
CASES = {"minimal": wanted({}, {}), "full": wanted(FULL, {"workers": {"template": TEMPLATE}})}


@pytest.mark.parametrize("case", CASES)
def test_the_manifests_are_the_golden_ones(case: str) -> None:
    """`HEADGATE_GOLDEN=write` writes them anew."""
    path = GOLDEN / f"cron-job-{case}.yaml"
    text = yaml.safe_dump(cron_job(CASES[case]), sort_keys=False, width=120)
    if os.environ.get("HEADGATE_GOLDEN") == "write":
        path.write_text(text)
    assert path.read_text() == text


def job_of(case: WantedTask) -> dict[str, Any]:
    job: dict[str, Any] = cron_job(case)["spec"]["jobTemplate"]["spec"]
    return job


def pod_of(case: WantedTask) -> dict[str, Any]:
    pod: dict[str, Any] = job_of(case)["template"]["spec"]
    return pod


def test_two_runs_are_forbidden_and_a_skipped_tick_is_not_made_up_for() -> None:
    skip, late = cron_job(wanted({}, {}))["spec"], cron_job(wanted({"onOverlap": "RunLate"}, {}))["spec"]
    assert (skip["concurrencyPolicy"], skip["startingDeadlineSeconds"]) == ("Forbid", 15)
    assert late["startingDeadlineSeconds"] > 300, "longer than a run may take"


def test_a_run_is_one_process_that_is_not_restarted_and_ends_by_itself() -> None:
    job, pod = job_of(wanted({"retries": 2, "deadlineSeconds": 90}, {})), pod_of(wanted({}, {}))
    assert (job["activeDeadlineSeconds"], job["backoffLimit"], job["podReplacementPolicy"]) == (90, 2, "Failed")
    assert "ttlSecondsAfterFinished" not in job
    (container,) = pod["containers"]
    assert (pod["restartPolicy"], container["command"]) == ("Never", ["headgate-task"])
    assert not {"livenessProbe", "readinessProbe", "startupProbe", "ports"} & container.keys()


def test_the_policys_template_is_used_and_its_own_wins() -> None:
    by_policy = pod_of(wanted({}, {"workers": {"template": TEMPLATE}}))
    own = {"spec": {"containers": [{"name": "worker", "image": "registry.example/own:1"}]}}
    by_task = pod_of(wanted({"template": own}, {"workers": {"template": TEMPLATE}}))
    assert by_policy["containers"][0]["image"] == "registry.example/mailer:3"
    assert (by_policy["serviceAccountName"], by_task["serviceAccountName"]) == ("mailer", "campaigns-worker")
    assert by_task["containers"][0]["image"] == "registry.example/own:1"
    assert "serviceAccountName" not in pod_of(wanted({"template": own}))


def test_no_pod_of_a_run_counts_as_a_worker() -> None:
    labels = job_of(wanted({}, {}))["template"]["metadata"]["labels"]
    assert POLICY_LABEL not in labels
    assert labels["headgate.dev/periodic-task"] == "sync"


def test_pods_are_restricted_and_have_no_token() -> None:
    pod = pod_of(wanted({}, {}))
    context = pod["containers"][0]["securityContext"]
    assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
    assert (pod["automountServiceAccountToken"], pod["securityContext"]["runAsNonRoot"]) == (False, True)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"spec": {"volumes": [{"name": "n", "hostPath": {"path": "/"}}]}}, "hostPath"),
        ({"spec": {"containers": [{"name": "worker", "securityContext": {"privileged": True}}]}}, "privileged"),
        ({"spec": {"containers": [{"name": "worker", "command": ["sh"]}]}}, "command"),
        (
            {"spec": {"containers": [{"name": "worker", "env": [{"name": "HEADGATE_TASK", "value": "x"}]}]}},
            "HEADGATE_TASK",
        ),
        ({"spec": {"restartPolicy": "Always"}}, "restartPolicy"),
    ],
)
def test_what_no_worker_template_may_say_no_task_may_say(template: dict[str, Any], words: str) -> None:
    (sentence,) = refusals(wanted({"template": template}).as_workers, own_namespace="", admission_policy=True)
    assert words in sentence
