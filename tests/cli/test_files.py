"""Policies in files: what is read, where mistakes are placed, and what stays in force beside them."""

from pathlib import Path

import pytest

from headgate.control.ports import BUDGET, QUEUE_POLICY
from headgate.errors import InvalidInput
from headgate_cli.local.files import PolicyFiles, Reading
from headgate_cli.local.memory_pods import CONFIG_MAP

GOOD = """\
apiVersion: headgate.dev/v1alpha1
kind: QueuePolicy
metadata: {name: emails}
spec:
  concurrency: {total: 5}
"""
HTTP = """\
apiVersion: headgate.dev/v1alpha1
kind: HTTPPolicy
metadata: {name: api}
spec:
  rules:
  - name: general
"""
OTHER = GOOD.replace("emails", "reports")
BUDGET_FILE = """\
apiVersion: headgate.dev/v1alpha1
kind: Budget
metadata: {name: provider, namespace: production, resourceVersion: "7"}
spec:
  concurrency: {total: 10}
status: {demand: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def files(folder: Path) -> PolicyFiles:
    return PolicyFiles(folder, "local")


def names(reading: Reading) -> set[str]:
    return {f"{kind.kind}/{name}" for kind, name in reading.objects}


def sentences(reading: Reading) -> list[str]:
    return [str(mistake) for mistake in reading.mistakes]


def total(reading: Reading, name: str = "emails") -> int:
    return int(reading.objects[QUEUE_POLICY, name]["spec"]["concurrency"]["total"])


def test_several_documents_in_several_files_in_one_scope(folder: Path, files: PolicyFiles) -> None:
    (folder / "a.yaml").write_text(f"{GOOD}---\n---\n{OTHER}")
    (folder / "b.yml").write_text(BUDGET_FILE)
    (folder / "notes.txt").write_text("not: [yaml")
    reading = files.read()
    assert names(reading) == {"QueuePolicy/emails", "QueuePolicy/reports", "Budget/provider"}
    assert reading.mistakes == []
    budget = reading.objects[BUDGET, "provider"]
    assert budget["metadata"] == {"name": "provider", "namespace": "local", "uid": "local/budget/provider"}
    assert "status" not in budget
    assert reading.objects[QUEUE_POLICY, "emails"]["metadata"]["uid"] == "local/emails"


def test_what_is_for_a_cluster_is_left_alone(folder: Path, files: PolicyFiles) -> None:
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n"
    template = "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: t}\ntemplate: {}\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {COLOUR: red}\n"
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n"
    (folder / "a.yaml").write_text("---\n".join([deployment, template, config, GOOD]))
    (folder / "kustomization.yaml").write_text(kustomization)
    reading = files.read()
    assert names(reading) == {"ConfigMap/app", "QueuePolicy/emails"}
    assert reading.objects[CONFIG_MAP, "app"]["data"] == {"COLOUR": "red"}
    assert reading.mistakes == []


def test_a_single_file_will_do(folder: Path) -> None:
    (folder / "a.yaml").write_text(GOOD)
    assert names(PolicyFiles(folder / "a.yaml").read()) == {"QueuePolicy/emails"}
    with pytest.raises(InvalidInput, match="neither a folder of YAML files nor one such file"):
        PolicyFiles(folder / "b.yaml").read()


def test_times_stay_text(folder: Path, files: PolicyFiles) -> None:
    override = "  override: {concurrencyTotal: 1, reason: x, expireTime: 2026-11-24T03:00:00Z}\n"
    (folder / "a.yaml").write_text(GOOD + override)
    spec = files.read().objects[QUEUE_POLICY, "emails"]["spec"]
    assert spec["override"]["expireTime"] == "2026-11-24T03:00:00Z"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD.replace("{total: 5}", "{total: [}"), "bad.yaml:5: this is no YAML"),
        (GOOD.replace("{total: 5}", "{total: 5, total: 6}"), "bad.yaml:5: this is no YAML: total is written twice"),
        (GOOD.replace("concurrency", "concurency"), "bad.yaml:5: spec.concurency: unknown field, did you mean spec.c"),
        (GOOD.replace("5}", "many}"), 'bad.yaml:5: spec.concurrency.total: "many" is not allowed, give a whole number'),
        (GOOD + "  jobs:\n    deadlineSeconds: 5\n    payload: any\n", "bad.yaml:8: spec.jobs.payload: "),
        (GOOD + "  budgetRefs:\n  - name: a\n  - name: B\n", "bad.yaml:8: spec.budgetRefs[1].name: "),
        (GOOD.replace("v1alpha1", "v1"), "bad.yaml:1: apiVersion: headgate.dev/v1 is not known here"),
        (GOOD.replace("headgate.dev", "headgat.dev"), "bad.yaml:1: apiVersion: headgat.dev/v1alpha1 is not known here"),
        (GOOD.replace("QueuePolicy", "QueuePolice"), "bad.yaml:2: kind: QueuePolice is not known here"),
        (GOOD.replace("{name: emails}", "{}"), "bad.yaml:3: metadata.name: missing"),
        (HTTP + "    rate: {limit: 0, periodSeconds: 60}\n", "bad.yaml:7: spec.rules[0].rate.limit: 0 is not allowed"),
        (HTTP + "    inFlight: 1\n  surface: API\n", 'bad.yaml:8: spec.surface: "API" is not allowed'),
        (HTTP + "    mode: Shadow\n", "bad.yaml:6: spec.rules[0]: a rule needs rate, inFlight or budgetRefs"),
        ("just text", "bad.yaml:1: kind: missing"),
        (OTHER, "bad.yaml:3: metadata.name: QueuePolicy reports is declared twice"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_line_and_spares_the_others(
    folder: Path, files: PolicyFiles, text: str, sentence: str
) -> None:
    (folder / "a.yaml").write_text(OTHER)
    (folder / "bad.yaml").write_text(text)
    reading = files.read()
    assert names(reading) == {"QueuePolicy/reports"}
    (said,) = sentences(reading)
    assert said.startswith(sentence)
    assert "\n" not in said


def test_what_is_not_text_is_a_mistake(folder: Path, files: PolicyFiles) -> None:
    (folder / "a.yaml").write_bytes(b"\xff\xfe\x00")
    assert sentences(files.read()) == ["a.yaml:1: cannot be read: this is no UTF-8 text"]


def test_the_last_good_objects_stay_beside_a_mistake_until_it_is_mended(folder: Path, files: PolicyFiles) -> None:
    (folder / "a.yaml").write_text(f"{GOOD}---\n{OTHER}")
    files.read()
    (folder / "a.yaml").write_text(f"{GOOD.replace('5', '6')}---\n{OTHER.replace('total: 5', 'total: -1')}")
    half = files.read()
    assert (total(half), total(half, "reports")) == (6, 5)
    assert len(half.mistakes) == 1
    (folder / "a.yaml").write_text("[")
    broken = files.read()
    assert (total(broken), total(broken, "reports")) == (6, 5)
    (folder / "a.yaml").write_text(GOOD.replace("5", "7"))
    mended = files.read()
    assert (names(mended), total(mended), mended.mistakes) == ({"QueuePolicy/emails"}, 7, [])


def test_a_deleted_file_takes_its_objects_along(folder: Path, files: PolicyFiles) -> None:
    (folder / "a.yaml").write_text(GOOD)
    (folder / "b.yaml").write_text(OTHER)
    files.read()
    (folder / "b.yaml").write_text("[")
    files.read()
    (folder / "b.yaml").unlink()
    reading = files.read()
    assert (names(reading), reading.mistakes) == ({"QueuePolicy/emails"}, [])


def test_a_policy_can_move_to_another_file(folder: Path, files: PolicyFiles) -> None:
    (folder / "b.yaml").write_text(GOOD)
    files.read()
    (folder / "a.yaml").write_text(GOOD.replace("5", "6"))
    both = files.read()
    assert total(both) == 6
    assert sentences(both) == ["b.yaml:3: metadata.name: QueuePolicy emails is declared twice, remove one"]
    (folder / "b.yaml").unlink()
    assert files.read().mistakes == []


def test_what_cannot_change_is_refused_with_the_last_good_in_force(folder: Path, files: PolicyFiles) -> None:
    (folder / "a.yaml").write_text(GOOD)
    files.read()
    (folder / "a.yaml").write_text(GOOD + "  queue: other\n")
    reading = files.read()
    assert "queue" not in reading.objects[QUEUE_POLICY, "emails"]["spec"]
    (said,) = sentences(reading)
    assert "queue is immutable" in said
