"""The models judge manifests as the API server does, and say what would be right."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.model.parse import InvalidManifest, parse
from headgate.model.queue_policy import QueuePolicy

HEAD = {"apiVersion": "headgate.dev/v1alpha1"}
CASES = list(yaml.safe_load_all((Path(__file__).parent / "crd_cases.yaml").read_text()))


def policy(**spec: Any) -> dict[str, Any]:
    return {**HEAD, "kind": "QueuePolicy", "metadata": {"name": "emails"}, "spec": spec}


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_models_and_the_table_agree(case: dict[str, Any]) -> None:
    """Every case of the table that the API server judges too."""
    old = HEAD | case["old"] if "old" in case else None
    if not case["want"]:
        assert parse(HEAD | case["obj"], old).metadata.name == case["obj"]["metadata"]["name"]
        return
    with pytest.raises(InvalidManifest) as refused:
        parse(HEAD | case["obj"], old)
    assert case["want"] in str(refused.value)
    assert case.get("words", "") in str(refused.value)


def test_every_mistake_is_named_on_a_line_of_its_own() -> None:
    """Two mistakes in two fields, two sentences; each names its field."""
    with pytest.raises(InvalidManifest) as refused:
        parse(policy(concurrency={"perWorker": 0}, workers={"replicas": -1}))
    assert [line.split(":")[0] for line in refused.value.mistakes] == [
        "spec.concurrency.perWorker",
        "spec.workers.replicas",
    ]
    assert str(refused.value).splitlines() == list(refused.value.mistakes)


def test_a_list_of_one_wrong_item_is_not_also_too_short() -> None:
    """One mistake, one sentence."""
    with pytest.raises(InvalidManifest) as refused:
        parse({**HEAD, "kind": "HTTPPolicy", "metadata": {"name": "api"}, "spec": {"rules": [{"name": "g"}]}})
    assert refused.value.mistakes == ("spec.rules[0]: a rule needs rate, inFlight or budgetRefs",)


def test_a_broken_rule_quotes_the_values() -> None:
    """`perKey cannot exceed total` alone would leave the reader to look for both."""
    with pytest.raises(
        InvalidManifest, match=r"spec.concurrency: perKey cannot exceed total \(perKey is 3, total is 2"
    ):
        parse(policy(concurrency={"total": 2, "perKey": 3}))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({"apiVersion": "headgate.dev/v1", "kind": "Budget"}, "apiVersion: headgate.dev/v1 is not known here"),
        (
            {"apiVersion": "headgate.dev/v1alpha1", "kind": "Queue"},
            "QueuePolicy, Budget, HTTPPolicy or PeriodicTask",
        ),
        ({}, "give headgate.dev/v1alpha1"),
    ],
)
def test_foreign_documents_are_refused_by_their_head(head: dict[str, Any], words: str) -> None:
    """What is not ours is named, and so is what is."""
    with pytest.raises(InvalidManifest, match=words):
        parse(head)


def test_defaults_are_those_of_the_schema() -> None:
    """A policy with nothing but a name has every default."""
    spec = parse({**HEAD, "kind": "QueuePolicy", "metadata": {"name": "emails"}}).spec
    assert spec == QueuePolicy.model_validate(policy()).spec
    assert (spec.store, spec.stop_policy, spec.mode, spec.concurrency.per_worker) == ("default", "None", "Enforce", 3)
    assert (spec.jobs.deadline_seconds, spec.jobs.payload, spec.jobs.max_losses) == (3600, "Any", 3)
    assert (spec.workers.replicas, spec.workers.drain_seconds, spec.key.meta_field) == (1, None, "headgate_key")


def test_the_template_is_kept_as_it_was_written() -> None:
    """Unknown fields of core/v1 pass through, at any depth; only the declared ones are judged."""
    template = {"spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "worker", "env": [{"name": "A"}]}]}}
    parsed = parse(policy(workers={"template": template}))
    assert isinstance(parsed, QueuePolicy)
    assert parsed.spec.workers.template is not None
    assert parsed.spec.workers.template.pod_spec() == template["spec"]


def test_a_time_that_yaml_already_read_is_a_time() -> None:
    """Unquoted times arrive as datetime from YAML readers and as text from the API server: both mean the same."""
    text = "{reason: x, concurrencyTotal: 1, expireTime: 2026-11-24T03:00:00Z}"
    quoted = {"reason": "x", "concurrencyTotal": 1, "expireTime": "2026-11-24T03:00:00Z"}
    assert parse(policy(override=yaml.safe_load(text))) == parse(policy(override=quoted))
