"""Alerts, dashboard and docs/monitoring.md speak of series, with labels, that real processes export."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.stores import free_port
from tests.worker.running import Bench

from .operator_fixtures import World
from .operator_process import OperatorProcess, budget, http_policy, periodic_task, policy, until

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "headgate"
OF_THE_TARGET = {"namespace", "pod", "container", "job", "instance", "service", "endpoint"}
"""What Prometheus adds to whatever it scrapes."""
KUBELETS = {"container_cpu_usage_seconds_total": {"namespace", "pod", "container"}}
Series = dict[str, set[str]]


def scraped(address: str) -> Series:
    """Our samples' names (without a histogram's suffixes) and their labels."""
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  our own process
        text = answer.read().decode()
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("headgate_") and not sample.name.endswith("_created"):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked() -> Iterator[tuple[str, str, set[str]]]:
    """(who asks, name of a series, labels that its selector or the aggregation around it name)."""
    expressions = [
        (rule["alert"], rule["expr"])
        for group in yaml.safe_load((CHART / "alerts" / "headgate.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]
    dashboard = json.loads((CHART / "dashboards" / "headgate.json").read_text())
    expressions += [
        (panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", ())
    ]
    for who, expression in expressions:
        for name, selector in re.findall(r"\b((?:headgate|container)_[a-z_]+)\b(?:\{([^}]*)\})?", expression):
            yield who, name, set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selector))


@pytest.fixture
def api(world: World, tmp_path: Path) -> Iterator[str]:
    """headgate-api, which limits itself by the policy of its surface."""
    port = free_port()
    (tmp_path / "tokens").write_text("")
    environment = {
        **os.environ,
        "HEADGATE_STORE_URL": world.store_url,
        "HEADGATE_TOKENS_FILE": str(tmp_path / "tokens"),
        "HEADGATE_PORT": str(port),
    }
    with subprocess.Popen([str(Path(sys.executable).with_name("headgate-api"))], env=environment) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def series(world: World, operator: OperatorProcess, api: str, tmp_path: Path) -> Iterator[dict[str, Series]]:
    """Of operator, worker and API, after a little of everything."""
    rule = {"name": "all", "rate": {"limit": 4, "periodSeconds": 60}}
    world.apply(
        budget("mail", concurrency={"total": 4}),
        policy("emails", concurrency=TWO, budgetRefs=[{"name": "mail"}], workers={"autoscaling": SCALING}),
        http_policy("headgate-api", rule),
        periodic_task("sync"),
    )
    world.await_condition("queuepolicy/emails", "Accepted", "True", "Valid")
    bench = Bench(world.store_url, "emails", tmp_path)
    try:
        jobs = [bench.queue.enqueue("tests.worker.tasks.sleep", 2) for _ in range(9)]
        workers = [bench.ready() for _ in range(3)]
        bench.ended(jobs[0])
        until(lambda: "headgate_scalings_total" in scraped(metrics_of(operator)), "a scale-out")
        until(lambda: visit(api) == 429, "the API to refuse")
        operator_series = until(
            lambda: found if "headgate_queue_bound" in (found := scraped(metrics_of(operator))) else None, "its look"
        )
        yield {
            "operator": operator_series,
            "worker": merged(scraped(f"http://127.0.0.1:{worker.port}/metrics") for worker in workers),
            "api": scraped(f"{api}/metrics"),
        }
    finally:
        bench.close()


TWO = {"perWorker": 1, "total": 2}
SCALING = {"maxReplicas": 2, "targetBacklogPerSlot": 1}


def merged(parts: Iterable[Series]) -> Series:
    found: Series = {}
    for part in parts:
        for name, labels in part.items():
            found.setdefault(name, set()).update(labels)
    return found


def metrics_of(operator: OperatorProcess) -> str:
    return f"http://127.0.0.1:{operator.port}/metrics"


def visit(api: str) -> int:
    try:
        with urllib.request.urlopen(f"{api}/v1/queues", timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def documented() -> dict[str, dict[str, Any]]:
    """The table of docs/monitoring.md: process -> series -> labels."""
    found: dict[str, dict[str, Any]] = {}
    for line in (ROOT / "docs" / "monitoring.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`headgate_"):
            for process in cells[2].split(", "):
                found.setdefault(process, {})[cells[0].strip("`")] = set(re.findall(r"`([a-z_]+)`", cells[1]))
    return found


def plain(found: Series) -> Series:
    """A histogram by its own name."""
    names: Series = {}
    for name, labels in found.items():
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        known = base if f"{base}_bucket" in found else name
        names.setdefault(known, set()).update(labels - {"le"})
    return names


NOT_YET = {
    "worker": {
        "headgate_jobs_rescued_total": {"reason"},
        "headgate_pod_memory_bytes": {"kind"},
    },
    "operator": {
        "headgate_drift_corrected_total": {"kind"},
        "headgate_task_last_run_seconds": {"namespace", "name"},
        "headgate_task_last_run_timestamp_seconds": {"namespace", "name"},
        "headgate_task_last_success_timestamp_seconds": {"namespace", "name"},
    },
    "api": {"headgate_http_timeouts_total": {"surface"}},
}
"""Exported only after what this test does not do: a death, a drift, a run, a limit of the pod."""


def test_what_is_asked_for_is_exported_and_what_is_exported_is_documented(series: dict[str, Series]) -> None:
    exported = merged((KUBELETS, *series.values(), *NOT_YET.values()))
    for who, name, labels in asked():
        assert name in exported, f"{who}: no process exports {name}"
        assert labels <= exported[name] | OF_THE_TARGET, f"{who}: {name} has no label {labels - exported[name]}"
    for process, found in series.items():
        assert documented()[process] == {**plain(found), **NOT_YET[process]}, process
