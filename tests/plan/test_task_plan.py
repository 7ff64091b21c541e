"""What `headgate plan` says of periodic tasks, and what it says would not be accepted."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.desired.documents import task_document
from headgate.model.parse import parse
from headgate.plan import as_text, plan

HEAD = {"apiVersion": "headgate.dev/v1alpha1"}


def task(**spec: Any) -> Any:
    base = {"schedule": "*/5 * * * *", "function": "app.sync", "queuePolicyRef": {"name": "campaigns"}}
    return parse({**HEAD, "kind": "PeriodicTask", "metadata": {"name": "sync"}, "spec": {**base, **spec}})


def policy(**spec: Any) -> Any:
    return parse({**HEAD, "kind": "QueuePolicy", "metadata": {"name": "campaigns"}, "spec": spec})


def test_a_line_for_each_task() -> None:
    text = as_text(plan([task(type="Enqueue", onOverlap="RunLate"), policy(queue="campaigns.v2")]))
    assert (
        "task default/sync: */5 * * * * Etc/UTC runs app.sync as a job of campaigns.v2, at most 300 s, "
        "never twice at once, one run is made up for late"
    ) in text
    assert "(held)" in as_text(plan([task(stopPolicy="Hold"), policy()]))


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ([task()], "there is no QueuePolicy campaigns"),
        ([task(schedule="61 * * * *"), policy()], "'61' is no minute"),
        ([task(timeZone="Mars/Base"), policy()], "'Mars/Base' is not in the tz database"),
        ([task(store="other"), policy()], "is in store default"),
        ([task(), policy(jobs={"payload": "JSON", "functions": ["app.other"]})], "app.sync is not in jobs.functions"),
    ],
)
def test_what_would_not_be_accepted_is_a_problem(resources: list[Any], words: str) -> None:
    (problem,) = plan(resources).problems
    assert problem.startswith("PeriodicTask default/sync: spec.")
    assert words in problem


def test_the_document_of_a_task_has_its_defaults_and_the_policys_queue() -> None:
    document = task_document(task(args=[1, {"a": None}], kwargs={"b": [2]}), "campaigns.v2")
    assert (document.name, document.queue, document.time_zone) == ("default/sync", "campaigns.v2", "Etc/UTC")
    assert (document.args, document.kwargs) == ((1, {"a": None}), {"b": [2]})
    assert task_document(task()).queue == "campaigns"
