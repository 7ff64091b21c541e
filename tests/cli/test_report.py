"""`headgate report` on a real store: its words, its exit codes, and what a killed worker leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from headgate.gates.door import Door
from headgate.gates.samples import Requests, Sample
from headgate_cli.commands.report import span_minutes
from tests.gates.moving_clock import move, moving_verbs

HEADGATE = Path(sys.executable).parent / "headgate"
ONE = Sample("mails-1", "worker", "mails", "host", "mails", 0, 2.0, 120, 0.3)
API = Sample("api-1", "api", "api", "host", "api", 0, 2.0, 90, 0.1, requests=[Requests("api/admin", 12, 20, 300)])


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([str(HEADGATE), "report", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("text", "minutes"), [("1m", 1), ("90m", 90), ("24h", 1440), ("2d", 2880)])
def test_spans(text: str, minutes: int) -> None:
    assert span_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "24", "h", "0h", "49h", "3d", "-1h", "1.5h", "24 h", "999999m"])
def test_a_span_that_is_none_says_what_is(text: str) -> None:
    code, _, said = run("--since", text, "--store", "redis://127.0.0.1:1")
    assert code == 2
    assert said == f"--since {text}: a number with m, h or d is needed, at most 48h, for example 24h\n"


def test_a_store_that_does_not_answer(valkey_url: str) -> None:
    code, out, said = run("--store", "redis://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert said


@pytest.mark.store
def test_a_store_where_nothing_has_happened(valkey_url: str) -> None:
    code, said, _ = run("--store", valkey_url)
    assert code == 0
    assert said.count("NO DATA") == 5


@pytest.mark.store
def test_two_good_hours_and_then_a_crash(valkey_url: str) -> None:
    with closing(Door(valkey_url, verbs=moving_verbs())) as door, redis.Redis.from_url(valkey_url) as client:
        move(client, -130 * 60)
        for minute in range(130):
            for sample in (ONE, API):
                door.record_sample(replace(sample, age_ms=minute * 60_000))
            move(client, 60)
        code, said, _ = run("--since", "3h", "--store", valkey_url)
        assert code == 0, said
        lines = said.splitlines()
        assert [line.split("  ")[0] for line in lines[2:] if line[:4] in ("PASS", "FAIL", "NO D")] == [
            "PASS", "PASS", "PASS", "NO DATA", "PASS",
        ]  # fmt: skip
        assert "host: 20% on average" in said
        assert "api/admin: 1560 requests, p50 20 ms" in said
        move(client, -10 * 60)
        door.record_sample(replace(ONE, instance="mails-2"))
        code, said, _ = run("--since", "3h", "--store", valkey_url, "-o", "json")
        found = json.loads(said)
        assert code == 1
        assert found["metrics"][0]["verdict"] == "FAIL"
        assert found["metrics"][0]["evidence"][0].startswith("worker mails-2 (mails) ended without a goodbye")
