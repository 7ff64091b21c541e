"""Every alert fires when it should and not otherwise, is in the runbook, and asks for metrics that exist."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import binaries

ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "headgate" / "alerts" / "headgate.yaml"
DASHBOARD = ROOT / "charts" / "headgate" / "dashboards" / "headgate.json"
CASES = Path(__file__).with_name("cases.yaml")
TEXTS = ("summary", "description")
PROMTOOL = Path(__file__).with_name("promtool")
FOREIGN = {"container_cpu_usage_seconds_total": "the kubelet's own metric of a container (cAdvisor)"}
SOURCES = ("operator/headgate_operator", "worker/headgate_worker", "api/headgate_api")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def promtool() -> Path:
    flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w"]
    digest = hashlib.sha256((PROMTOOL / "go.mod").read_bytes() + (PROMTOOL / "go.sum").read_bytes()).hexdigest()[:16]
    target = binaries.cache_folder().with_name(f"promtool-{digest}")
    package = {"promtool": "github.com/prometheus/prometheus/cmd/promtool"}
    return binaries.build(target, package, PROMTOOL, lambda: flags) / "promtool"


def cases() -> list[dict[str, Any]]:
    return list(yaml.safe_load(CASES.read_text()))


def unit_test(case: dict[str, Any], severity: str) -> dict[str, Any]:
    """A case in promtool's own form."""
    fires = case.get("fires")
    texts = {name: fires[name] for name in TEXTS} if fires else {}
    alert = {"exp_labels": {**fires["labels"], "severity": severity}, "exp_annotations": texts} if fires else None
    check = {"eval_time": case["at"], "alertname": case["alert"], "exp_alerts": [alert] if alert else []}
    return {
        "name": f"{case['alert']}: {case['what']}",
        "interval": case.get("interval", "1m"),
        "input_series": [{"series": name, "values": str(values)} for name, values in case["series"].items()],
        "alert_rule_test": [check],
    }


@pytest.mark.slow
@pytest.mark.timeout(1500)  # a cold build takes minutes
def test_prometheus_itself_finds_no_fault_and_each_case_holds(promtool: Path, tmp_path: Path) -> None:
    """The cases leave the action out: it says what to do, and nothing of the series."""
    severities = {alert["alert"]: alert["labels"]["severity"] for alert in alerts()}
    rules = yaml.safe_load(RULES.read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["annotations"] = {name: rule["annotations"][name] for name in TEXTS}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    tests = [unit_test(case, severities[case["alert"]]) for case in cases()]
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(whole))
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(tmp_path / "tests.yaml")]):
        done = subprocess.run([str(promtool), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    names = {alert["alert"] for alert in alerts()}
    assert {case["alert"] for case in cases() if "fires" in case} == names
    assert {case["alert"] for case in cases() if "fires" not in case} == names


def test_each_alert_tells_what_it_means_and_what_to_do_and_is_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    for alert in alerts():
        assert set(alert["annotations"]) == {"summary", "description", "action"}, alert["alert"]
        assert alert["labels"]["severity"] in ("info", "warning", "critical")
        assert f"\n### {alert['alert']}\n" in runbook


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    """A counter's name in the code lacks the `_total`, a histogram's the `_bucket`, that Prometheus shows."""
    text = "".join(path.read_text() for source in SOURCES for path in (ROOT / source).rglob("*.py"))
    declared = set(re.findall(r'"(headgate_[a-z_]+)"', text))
    asked = [alert["expr"] for alert in alerts()]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked += [target["expr"] for panel in panels for target in panel.get("targets", ())]
    for expression in asked:
        for name in re.findall(r"\b((?:headgate|container)_[a-z_]+)\b", expression):
            known = {name, name.removesuffix("_total"), name.removesuffix("_bucket")}
            assert known & declared or name in FOREIGN, f"no process exports {name}"


def test_every_reason_that_an_alert_names_exists() -> None:
    from headgate.status.reasons import REASONS

    names = {reason.name for reason in REASONS}
    for alert in alerts():
        for written in re.findall(r'reason(?:!?=~?)"([A-Za-z|]+)"', alert["expr"]):
            assert set(written.split("|")) <= names, alert["alert"]
