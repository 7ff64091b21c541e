"""Queues, gates and explain, read by tokens of every scope."""

import pytest

from headgate.gates.door import Door
from headgate.gates.verbs import Claim, Enqueue, Grant

pytestmark = pytest.mark.store


def run_one(door: Door, job: str = "job-1") -> Grant:
    door.enqueue(Enqueue("emails", job, {"origin": b"emails", "data": b"x", "created_at": b"2026-01-01T00:00:00Z"}))
    claimed = door.claim(Claim("emails", f"pod-1.{job}", "pod-1", f"nonce-{job}", f"execution-{job}"))
    assert isinstance(claimed, Grant)
    return claimed


async def test_a_queue_says_what_runs_and_what_holds_it(api, emails, door):
    for job in ("a", "b"):
        run_one(door, job)
    door.enqueue(Enqueue("emails", "c", {"origin": b"emails", "data": b"x"}))
    answer = await api.get("reader", "/v1/queues")
    assert answer.status_code == 200
    (queue,) = answer.json()["queues"]
    assert (queue["queue"], queue["running"], queue["queued"], queue["declared_by"]) == ("emails", 2, 1, "shop/emails")
    assert queue["blocked_by"] == "concurrency.total"
    assert queue["verdict"].startswith("held by concurrency.total (2 of 2 running)")


async def test_explain_names_the_jobs_that_hold_the_gate(api, emails, door):
    for job in ("a", "b"):
        run_one(door, job)
    door.enqueue(Enqueue("emails", "c", {"origin": b"emails", "data": b"x"}))
    found = (await api.get("reader", "/v1/queues/emails/explain")).json()
    assert sorted(holder["job_id"] for holder in found["held_by"]) == ["a", "b"]
    assert all(holder["lease_ends"] > found["now"] for holder in found["held_by"])
    assert "budget/shop/smtp" in [gate["name"] for gate in found["gates"]]


async def test_gates_show_budgets(api, emails):
    found = (await api.get("reader", "/v1/gates")).json()
    assert [gate["limit"] for gate in found["budgets"]["shop/smtp"]] == [20]


@pytest.mark.parametrize("path", ["/v1/queues", "/v1/queues/emails", "/v1/gates", "/v1/queues/emails/explain"])
async def test_a_known_token_with_the_scope_is_needed(api, emails, path):
    for wrong in (None, "", "nobody", "x" * 5000):
        answer = await api.get(wrong, path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get("edge", path)).status_code == 403
    assert (await api.get("operator", path)).status_code == 200


async def test_an_unknown_queue_is_a_problem_document(api):
    answer = await api.get("reader", "/v1/queues/none")
    assert (answer.status_code, answer.json()["detail"]) == (404, "No policy declares queue none in this store.")
    assert (await api.get("reader", "/v1/queues/%3Cscript%3E")).status_code == 422
    assert (await api.get("reader", "/nothing")).headers["content-type"] == "application/problem+json"


async def test_probes_need_no_token(api):
    assert (await api.get(None, "/healthz")).text == "ok\n"
    assert (await api.get(None, "/readyz")).status_code == 200
    assert "python_info" in (await api.get(None, "/metrics")).text
