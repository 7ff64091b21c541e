"""The CRDs are what the models say."""

from pathlib import Path

import pytest
import yaml

from headgate.model.schema import DEFINITIONS, Definition, custom_resource_definition, main

CRDS = Path(__file__).parents[2] / "deploy" / "crds"


def test_the_committed_crds_are_generated_from_these_models() -> None:
    """`make generate` would change nothing."""
    assert main(["--check", str(CRDS)]) == 0


def test_a_drifted_crd_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check that CI runs can fail, and says what to do."""
    assert main([str(tmp_path)]) == 0
    (tmp_path / "budgets.yaml").write_text("kind: Old\n")
    assert main(["--check", str(tmp_path)]) == 1
    assert "budgets.yaml is not what the models say: run make generate" in capsys.readouterr().err


def nodes(schema: dict) -> list[dict]:
    below = [*schema.get("properties", {}).values()]
    below += [schema[name] for name in ("items", "additionalProperties") if name in schema]
    return [schema] + [node for child in below for node in nodes(child)]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_schemas_are_structural(definition: Definition) -> None:
    """Every node has one type, no references and no alternatives; only templates and arguments keep unknown fields."""
    root = custom_resource_definition(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for node in nodes(root):
        assert isinstance(node.get("type"), str) or node == {"x-kubernetes-preserve-unknown-fields": True}
        assert not {"$ref", "anyOf", "allOf", "title", "const"} & node.keys()
    preserved = yaml.safe_dump(root).count("x-kubernetes-preserve-unknown-fields")
    assert preserved == {"QueuePolicy": 2, "PeriodicTask": 4}.get(definition.kind, 0)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_every_spec_field_is_described(definition: Definition) -> None:
    """kubectl explain and docs/reference have a line for each field."""
    root = custom_resource_definition(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in ("spec", "status"):
        fields = [field for node in nodes(root["properties"][part]) for field in node.get("properties", {}).items()]
        assert [name for name, field in fields if not field.get("description")] == []


def test_the_fields_that_roll_pods_say_so() -> None:
    """template, drainSeconds, deadlineSeconds and memory.recycleSlotAboveMiB, and no other."""
    root = custom_resource_definition(DEFINITIONS[0])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = {name: field for node in nodes(root) for name, field in node.get("properties", {}).items()}
    rolling = {name for name, field in fields.items() if "rolls the pods" in field.get("description", "")}
    assert rolling == {"template", "drainSeconds", "deadlineSeconds", "recycleSlotAboveMiB"}
