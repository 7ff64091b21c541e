"""`headgate publish`, `status` and `explain` on a real store."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import rq

from headgate.gates.door import Door
from headgate.gates.http import Admit
from headgate.gates.verbs import Claim, Grant, Owner, Wait
from headgate.model.documents import QueueDocument

Headgate = Callable[..., Any]
POLICIES = """\
apiVersion: headgate.dev/v1alpha1
kind: QueuePolicy
metadata: {name: emails}
spec: {concurrency: {total: 2}, budgetRefs: [{name: provider}]}
---
apiVersion: headgate.dev/v1alpha1
kind: Budget
metadata: {name: provider}
spec: {concurrency: {total: 10}, rate: {total: {limit: 100, periodSeconds: 60}}}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(POLICIES)
    return tmp_path


@pytest.fixture
def door(valkey_url: str) -> Iterator[Door]:
    door = Door(valkey_url)
    yield door
    door.close()


def outcomes(ran: Any) -> dict[str, str]:
    return {f"{item['kind']}/{item['name']}": item["outcome"] for item in json.loads(ran.out)}


def enqueue(url: str, queue: str, number: int) -> None:
    with redis.Redis.from_url(url) as connection:
        for _ in range(number):
            rq.Queue(queue, connection=connection).enqueue("time.sleep", 0)


def start(door: Door, number: int) -> str:
    claim = Claim("emails", f"emails-worker-1-abc.{number}", "emails-worker-1-abc", f"n{number}", f"e{number}")
    answer = door.claim(claim)
    assert isinstance(answer, Grant)
    return answer.job_id


def test_documents_are_in_force_and_the_same_again_is_no_change(
    headgate: Headgate, policies: Path, valkey_url: str, door: Door
) -> None:
    first = headgate("publish", str(policies), "--store", valkey_url, "--json")
    assert (first.code, outcomes(first)) == (0, {"queue/emails": "published", "budget/local/provider": "published"})
    declared = door.read_document("emails")
    assert declared
    assert declared[1].total == 2
    second = headgate("publish", str(policies), "--store", valkey_url, "--json")
    assert set(outcomes(second).values()) == {"same"}
    (policies / "all.yaml").write_text(POLICIES.replace("total: 2", "total: 3"))
    third = headgate("publish", str(policies), "--store", valkey_url, "--json")
    assert outcomes(third) == {"queue/emails": "published", "budget/local/provider": "same"}
    changed = door.read_document("emails")
    assert changed
    assert (changed[1].total, changed[0] > declared[0]) == (3, True)


def test_the_text_has_the_revision_of_each(headgate: Headgate, policies: Path, valkey_url: str) -> None:
    ran = headgate("publish", str(policies), "--store", valkey_url)
    assert ran.out.splitlines()[0].split() == ["KIND", "NAME", "REVISION", "OUTCOME"]
    assert [line.split()[::3] for line in ran.out.splitlines()[1:]] == [["budget", "published"], ["queue", "published"]]


def test_redis_url_names_the_store_and_none_is_a_usage_error(
    headgate: Headgate, policies: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = headgate("publish", str(policies))
    assert (ran.code, ran.err) == (2, "where is the store? give --store URL or set REDIS_URL\n")
    monkeypatch.setenv("REDIS_URL", valkey_url)
    assert headgate("publish", str(policies)).code == 0
    ran = headgate("publish", str(policies), "--store", "localhost:6379")
    assert (ran.code, "begins with redis://" in ran.err) == (2, True)


def test_a_store_that_is_down_is_one_sentence(headgate: Headgate, policies: Path) -> None:
    for arguments in (("publish", str(policies)), ("status",), ("explain", "emails")):
        ran = headgate(*arguments, "--store", "redis://127.0.0.1:1")
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1
        assert "127.0.0.1:1" in ran.err


def test_what_others_declare_stays_theirs_until_adopted(
    headgate: Headgate, policies: Path, valkey_url: str, door: Door
) -> None:
    door.publish(QueueDocument(queue="emails", total=7), Owner("prod/emails", "uid-1", 4, "cluster-a"))
    ran = headgate("publish", str(policies), "--store", valkey_url, "--json")
    assert (ran.code, outcomes(ran)) == (1, {"queue/emails": "owned", "budget/local/provider": "published"})
    assert ran.err.startswith("queue emails: already declared by prod/emails (cluster-a)")
    kept = door.read_document("emails")
    assert kept
    assert kept[1].total == 7
    adopted = headgate("publish", str(policies), "--store", valkey_url, "--adopt", "--json")
    assert (adopted.code, outcomes(adopted)["queue/emails"]) == (0, "published")
    assert door.inspect().owners["queue/emails"].name == "local/emails"


def test_prune_removes_what_this_scope_no_longer_declares_and_nothing_else(
    headgate: Headgate, policies: Path, valkey_url: str, door: Door
) -> None:
    headgate("publish", str(policies), "--store", valkey_url)
    door.publish(QueueDocument(queue="theirs"), Owner("prod/theirs", "uid-1", 1, "cluster-a"))
    other = POLICIES.partition("---")[0].replace("emails", "other").replace(", budgetRefs: [{name: provider}]", "")
    (policies / "all.yaml").write_text(other)
    headgate("publish", str(policies), "--store", valkey_url, "--scope", "another")
    (policies / "all.yaml").write_text(other.replace("other", "reports"))
    ran = headgate("publish", str(policies), "--store", valkey_url, "--prune", "--json")
    assert outcomes(ran) == {
        "queue/reports": "published",
        "queue/emails": "removed",
        "budget/local/provider": "removed",
    }
    assert set(door.inspect().queues) == {"reports", "theirs", "other"}


def test_nothing_is_published_beside_a_mistake(headgate: Headgate, policies: Path, valkey_url: str, door: Door) -> None:
    (policies / "bad.yaml").write_text("[")
    assert headgate("publish", str(policies), "--store", valkey_url).code == 2
    (policies / "bad.yaml").write_text(POLICIES.partition("---")[0].replace("emails", "b").replace("provider", "x"))
    ran = headgate("publish", str(policies), "--store", valkey_url)
    assert ran.code == 1
    assert ran.err.endswith("nothing was published\n")
    assert dict(door.inspect().queues) == {}


def test_a_bad_scope_is_refused(headgate: Headgate, policies: Path) -> None:
    assert headgate("publish", str(policies), "--scope", "My Team").code == 2


def test_status_shows_what_runs_waits_and_holds(
    headgate: Headgate, policies: Path, valkey_url: str, door: Door
) -> None:
    assert headgate("status", "--store", valkey_url).out == "no policy is published in this store\n"
    headgate("publish", str(policies), "--store", valkey_url)
    enqueue(valkey_url, "emails", 5)
    start(door, 1), start(door, 2)
    text = headgate("status", "--store", valkey_url).out.splitlines()
    assert text[1].split()[:4] == ["emails", "2", "3", "0"]
    assert text[1].endswith("concurrency.total")
    assert [" ".join(line.split()) for line in text if line.startswith("local/provider")] == [
        "local/provider 2 of 10 running 0",
        "local/provider 2 of 100 starts in 60 s 0",
    ]
    state = json.loads(headgate("status", "--store", valkey_url, "--json").out)
    assert state["queues"]["emails"]["running"] == 2


def test_explain_names_the_gate_its_holders_and_the_cure(
    headgate: Headgate, policies: Path, valkey_url: str, door: Door
) -> None:
    headgate("publish", str(policies), "--store", valkey_url)
    enqueue(valkey_url, "emails", 3)
    jobs = {start(door, 1), start(door, 2)}
    assert isinstance(door.claim(Claim("emails", "s.3", "s", "n3", "e3")), Wait)
    ran = headgate("explain", "emails", "--store", valkey_url)
    lines = ran.out.splitlines()
    assert lines[:2] == [
        "emails: 2 running, 1 queued, 0 due later",
        "held by concurrency.total (2 of 2 running): until a running job of this queue ends",
    ]
    assert all(any(line.startswith(job) for line in lines) for job in jobs)
    assert any(line.startswith("budget/local/provider") and "2 of 10 running" in line for line in lines)
    found = json.loads(headgate("explain", "emails", "--store", valkey_url, "--json").out)
    assert {holder["job_id"] for holder in found["holders"]} == jobs
    assert found["queue"]["blocked_by"] == "concurrency.total"


def test_explain_of_a_rate_says_when_it_opens(headgate: Headgate, policies: Path, valkey_url: str, door: Door) -> None:
    slow = "spec: {rate: {total: {limit: 1, periodSeconds: 60}}}\n"
    (policies / "all.yaml").write_text(POLICIES.partition("spec:")[0] + slow)
    headgate("publish", str(policies), "--store", valkey_url)
    enqueue(valkey_url, "emails", 2)
    start(door, 1)
    held = headgate("explain", "emails", "--store", valkey_url).out.splitlines()[1]
    assert held.startswith("held by rate.total (1 of 1 starts in 60 s): opens in ")
    assert held.endswith(" s")


def test_explain_of_an_unknown_queue_names_the_known_ones(headgate: Headgate, policies: Path, valkey_url: str) -> None:
    headgate("publish", str(policies), "--store", valkey_url)
    ran = headgate("explain", "email", "--store", valkey_url)
    assert ran.code == 2
    assert ran.err == "no policy declares queue or surface email in this store; declared there: emails\n"


HTTP = """\
apiVersion: headgate.dev/v1alpha1
kind: HTTPPolicy
metadata: {name: web}
spec:
  surface: api
  rules:
  - {name: general, rate: {limit: 2, periodSeconds: 900}}
  - {name: new, mode: Shadow, match: {methods: [POST], paths: [{value: /api}]}, inFlight: 1}
"""


def test_a_surface_is_published_and_shown_with_what_it_let_in_and_refused(
    headgate: Headgate, tmp_path: Path, valkey_url: str, door: Door
) -> None:
    (tmp_path / "api.yaml").write_text(HTTP)
    ran = headgate("publish", str(tmp_path), "--store", valkey_url, "--json")
    assert (ran.code, outcomes(ran)) == (0, {"http/api": "published"})
    declared = door.read_http("api")
    assert declared
    revision, document = declared
    assert [rule.name for rule in document.rules] == ["general", "new"]
    for number in range(3):
        door.admit(Admit("api", revision, "web-1-aaaaaa", f"web-1-aaaaaa:{number}", [(0, "a" * 32)]))
    ran = headgate("status", "--store", valkey_url)
    head, general, new = ran.out.splitlines()[:3]
    assert head.split()[:3] == ["SURFACE", "RULE", "LIMIT"]
    assert "2 requests in any 15 min for each address" in general
    assert general.split()[-7:-2] == ["2", "1", "1", "1", "0"]
    assert "(only counted)" in new
    (surface,) = json.loads(headgate("status", "--store", valkey_url, "--json").out)["surfaces"].values()
    assert (surface["revision"], surface["rules"]["general"]["denied"]) == (revision, 1)
    ran = headgate("explain", "api", "--store", valkey_url)
    assert ran.out.splitlines() == [
        f"surface api, revision {revision}, served by no API process",
        "general: 2 requests in any 15 min for each address, on all requests",
        "  let in 2, 1 of them above 80 % of the limit; refused 1 of about 1 client",
        "new: 1 at once for each address, on POST /api and below (Shadow: only counted)",
        "  let in 0, 0 of them above 80 % of the limit; would have refused nobody",
        "A process that was told a refusal repeats it by itself for as long as it holds: here that counts once.",
    ]
    (tmp_path / "api.yaml").write_text(POLICIES)
    assert (
        outcomes(headgate("publish", str(tmp_path), "--store", valkey_url, "--prune", "--json"))["http/api"]
        == "removed"
    )
    assert door.read_http("api") is None
