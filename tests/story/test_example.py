"""The example itself: its arithmetic, its producer, and that its words and its files say the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from rq import Queue
from rq.job import Job

from tests.recorder import accounts
from tests.recorder.history import Kind
from tests.story import promises
from tests.story.world import EXAMPLE, PROGRAMS, QUEUES, World

POLICIES = [yaml.safe_load(path.read_text()) for path in sorted((EXAMPLE / "policies").glob("*.yaml"))]


def specs_of(kind: str) -> dict[str, Any]:
    return {each["metadata"]["name"]: each["spec"] for each in POLICIES if each["kind"] == kind}


def test_the_arithmetic_of_the_story() -> None:
    command = [str(PROGRAMS / "headgate"), "plan", str(EXAMPLE / "policies"), "--before", "10", "--max", "31"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.startswith("before 9 x 10 = 90\nnow 31\n")


def test_the_promises_are_those_of_the_files() -> None:
    """Written out by hand where they are judged; here the files are held against them."""
    specs = specs_of("QueuePolicy")
    (budget,) = specs_of("Budget").values()
    assert set(specs) == set(QUEUES) == set(promises.SLOTS)
    slots = {name: spec.get("concurrency", {}).get("perWorker", 3) for name, spec in specs.items()}
    assert slots == promises.SLOTS
    assert sum(slots.values()) == promises.AT_ONCE
    assert budget["concurrency"]["total"] == promises.MAIL_AT_ONCE
    assert budget["rate"]["total"] == {"limit": promises.MAIL_A_SECOND, "periodSeconds": 1}
    assert {name for name, spec in specs.items() if "budgetRefs" in spec} == set(promises.MAIL)
    assert specs["exports"]["concurrency"]["perKey"] == promises.EXPORTS_A_TENANT
    assert specs["analytics"]["rate"]["total"]["limit"] == promises.ANALYTICS_A_SECOND
    assert specs["webhooks"]["rate"]["perKey"]["limit"] == promises.WEBHOOKS_A_TENANT_A_SECOND


def test_the_http_limits_are_those_of_the_story() -> None:
    (spec,) = specs_of("HTTPPolicy").values()
    rules = {rule["name"]: rule for rule in spec["rules"]}
    assert {name: tuple(rule["rate"].values()) for name, rule in rules.items()} == promises.HTTP
    by = {name: rule.get("key", {"type": "ClientIP"})["type"] for name, rule in rules.items()}
    assert {name for name, key in by.items() if key == "User"} == {"campaign-creation", "campaign-start"}
    assert {name for name, rule in rules.items() if rule.get("count") == "Failures"} == {"auth"}


@pytest.mark.store
def test_the_producer_keeps_its_rate_serves_every_queue_and_ends_on_term(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        producer = world.produce(100, 0)
        while world.acknowledged() < 200:
            assert producer.poll() is None
            time.sleep(0.02)
        producer.send_signal(signal.SIGTERM)
        assert producer.wait(10) == 0
        made = world.events(Kind.ACKED)
        assert len(made) / ((made[-1].at - made[0].at) / 1e9) < 115
        with world.store.client() as client:
            assert {name: Queue(name, connection=client).count for name in QUEUES} == {
                name: sum(event.queue == name for event in made) for name in QUEUES
            }
            jobs = Job.fetch_many(accounts.acknowledged(made), connection=client)
        assert {job.meta["tenant"] for job in jobs if job} == {event.key for event in made}
        assert {event.queue for event in made} == set(QUEUES)


def test_without_a_recorder_the_tasks_are_bare() -> None:
    code = "from taskforce import tasks; print(hasattr(tasks.send_email, '__wrapped__'))"
    env = {"PYTHONPATH": str(EXAMPLE)}
    said = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout
    assert said.strip() == "False"
