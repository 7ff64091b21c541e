"""`headgate plan`: the arithmetic, its exit codes, and no need for anything but files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Headgate = Callable[..., Any]
POLICY = """\
apiVersion: headgate.dev/v1alpha1
kind: QueuePolicy
metadata: {name: %s}
spec: %s
"""
STORY = {
    "campaigns": "{concurrency: {perWorker: 5}}",
    "follow-ups": "{concurrency: {perWorker: 5}}",
    **dict.fromkeys(("analytics", "emails", "exports", "imports", "snoozed", "sync", "webhooks"), "{}"),
}


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text("---\n".join(POLICY % pair for pair in STORY.items()))
    return tmp_path


def test_the_story_before_and_now(headgate: Headgate, policies: Path) -> None:
    ran = headgate("plan", str(policies), "--before", "10")
    assert ran.code == 0
    assert ran.out.startswith("before 9 x 10 = 90\nnow 31\n")


def test_without_a_before_it_says_what_is(headgate: Headgate, policies: Path) -> None:
    assert headgate("plan", str(policies)).out.startswith("at most 31 jobs at once\n")


def test_json_has_the_same_numbers(headgate: Headgate, policies: Path) -> None:
    found = json.loads(headgate("plan", str(policies), "--before", "10", "--json").out)
    assert (found["total"], found["before"]["total"]) == (31, 90)
    assert {queue["queue"]: queue["bound"] for queue in found["queues"]}["campaigns"] == 5


def test_more_than_max_fails(headgate: Headgate, policies: Path) -> None:
    assert headgate("plan", str(policies), "--max", "31").code == 0
    ran = headgate("plan", str(policies), "--max", "30")
    assert (ran.code, ran.err) == (1, "31 jobs could run at once, 30 are allowed by --max\n")


def test_what_would_not_be_accepted_fails(headgate: Headgate, policies: Path) -> None:
    (policies / "more.yaml").write_text(POLICY % ("billing", "{budgetRefs: [{name: nowhere}]}"))
    ran = headgate("plan", str(policies))
    assert ran.code == 1
    assert "local/billing: spec.budgetRefs[0].name: there is no Budget local/nowhere" in ran.out


def test_the_limits_of_surfaces_are_read_as_they_are_spoken(headgate: Headgate, policies: Path) -> None:
    (policies / "api.yaml").write_text(
        "apiVersion: headgate.dev/v1alpha1\nkind: HTTPPolicy\nmetadata: {name: api}\n"
        "spec: {rules: [{name: general, rate: {limit: 100, periodSeconds: 900}}]}\n"
    )
    ran = headgate("plan", str(policies))
    assert ran.code == 0
    assert "api: general 100 requests in any 15 min for each address\n" in ran.out
    (surface,) = json.loads(headgate("plan", str(policies), "--json").out)["surfaces"]
    assert surface["rules"] == [
        {"rule": "general", "limits": "100 requests in any 15 min for each address", "match": "", "mode": "Enforce"}
    ]


def test_mistakes_are_bad_input_with_their_place(headgate: Headgate, policies: Path) -> None:
    (policies / "more.yaml").write_text(POLICY % ("billing", "{concurency: {total: 1}}"))
    ran = headgate("plan", str(policies))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("more.yaml:4: spec.concurency: unknown field, did you mean spec.concurrency?")


def test_no_folder_and_no_policy_are_bad_input(headgate: Headgate, tmp_path: Path) -> None:
    assert headgate("plan", str(tmp_path / "none")).code == 2
    ran = headgate("plan", str(tmp_path))
    assert (ran.code, ran.err) == (
        2,
        f"{tmp_path}: no QueuePolicy, HTTPPolicy, PeriodicTask or Budget in its YAML files\n",
    )


def test_help_lists_what_works_and_names_the_exit_codes(headgate: Headgate) -> None:
    assert {"plan", "publish", "status", "explain"} <= set(headgate("--help").out.split())
    assert "Exit code 1" in headgate("plan", "--help").out
