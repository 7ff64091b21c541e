"""Jobs through the API, with RQ's own code on the other side."""

import pickle
import threading
import zlib

import pytest
import rq
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.results import Result

from headgate.gates.door import Door
from headgate.gates.verbs import Claim, Enqueue, Owner
from headgate.model.documents import JobRules, QueueDocument

pytestmark = pytest.mark.store
MAIL = {"function": "mail.send", "args": ["ada@example.com", {"nested": [1, 2.5, None]}], "kwargs": {"subject": "hi"}}


async def enqueued(api, **more):
    answer = await api.post("producer", "/v1/queues/emails/jobs", json=MAIL | more)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_what_is_enqueued_is_a_job_of_rq(api, emails, raw):
    job_id = await enqueued(api, key="acme", timeout_seconds=30, result_ttl_seconds=60)
    job = Job.fetch(job_id, connection=raw)
    assert (job.func_name, job.args, job.kwargs) == ("mail.send", MAIL["args"], MAIL["kwargs"])
    assert (job.origin, job.timeout, job.result_ttl, job.meta) == ("emails", 30, 60, {"headgate_key": "acme"})
    assert job.get_status() == "queued"
    assert job.enqueued_at is not None
    assert rq.Queue("emails", connection=raw).job_ids == [job_id]


async def test_a_json_policy_gets_json(api, door, raw):
    rules = JobRules(functions=("mail.send",), payload="JSON")
    door.publish(QueueDocument(queue="emails", jobs=rules), Owner("shop/emails", "uid-1", 1))
    job_id = await enqueued(api)
    job = Job.fetch(job_id, connection=raw, serializer="rq.serializers.JSONSerializer")
    assert job.args == MAIL["args"]


async def test_the_same_idempotency_key_is_the_same_job(api, emails, raw):
    headers = {"Idempotency-Key": "order-7"}
    first = await api.post("producer", "/v1/queues/emails/jobs", json=MAIL, headers=headers)
    again = await api.post("producer", "/v1/queues/emails/jobs", json=MAIL, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["existing"] is True
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == again.headers["location"] == f"/v1/jobs/{first.json()['id']}"
    assert len(rq.Queue("emails", connection=raw)) == 1


async def test_a_full_backlog_says_when_to_come_again(api, emails):
    for _ in range(3):
        await enqueued(api)
    answer = await api.post("producer", "/v1/queues/emails/jobs", json=MAIL)
    assert (answer.status_code, answer.json()["detail"]) == (429, "Queue emails is full: 3 of 3 jobs.")
    assert int(answer.headers["retry-after"]) >= 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"function": "os.system", "args": ["id"]}, 403),
        ({"function": "mail.send", "unknown": 1}, 422),
        ({"function": "mail.send", "args": "text"}, 422),
        ({"function": "mail"}, 422),
        ({"function": "mail.send\n"}, 422),
        ({"function": "mail.send", "timeout_seconds": 0}, 422),
        ({"function": "mail.send", "kwargs": {"a": {"b": [[[["x"] * 3]]]}}}, 201),
        ([], 422),
    ],
)
async def test_bad_bodies_are_refused_with_the_field(api, emails, raw, body, status):
    answer = await api.post("producer", "/v1/queues/emails/jobs", json=body)
    assert answer.status_code == status, answer.text
    if status != 201:
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(rq.Queue("emails", connection=raw)) == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"function": "mail.send", "args": [NaN]}', 422),
        (b'{"function": "mail.send", "args": ["\\ud800"]}', 422),
        (b'{"function": "mail.send", "args": [' + b"[" * 5000 + b"]" * 5000 + b"]}", (400, 422)),
        (b'{"function": "mail.send", "args": [' + b"9" * 6000 + b"]}", (400, 422)),
        (b"\xff\xfe", (400, 422)),
        (b"", 422),
    ],
)
async def test_what_is_no_honest_json_is_refused(api, emails, body, status):
    headers = {"Content-Type": "application/json"}
    answer = await api.post("producer", "/v1/queues/emails/jobs", content=body, headers=headers)
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_scopes(api, emails):
    assert (await api.post("reader", "/v1/queues/emails/jobs", json=MAIL)).status_code == 403
    job_id = await enqueued(api)
    assert (await api.post("producer", f"/v1/jobs/{job_id}/cancel")).status_code == 403
    assert (await api.post(None, f"/v1/jobs/{job_id}/cancel")).status_code == 401
    assert (await api.post("operator", "/v1/queues/emails/jobs", json=MAIL)).status_code == 201


async def test_payloads_are_for_operators(api, emails):
    job_id = await enqueued(api)
    seen = (await api.get("reader", f"/v1/jobs/{job_id}")).json()
    assert (seen["status"], seen["function"]) == ("queued", "mail.send")
    assert "ada@example.com" not in str(seen)
    seen = (await api.get("operator", f"/v1/jobs/{job_id}")).json()
    assert (seen["args"], seen["kwargs"]) == (MAIL["args"], MAIL["kwargs"])


def planted(raw, fields):
    raw.hset("rq:job:planted", mapping={"origin": "emails", "status": "queued", "created_at": "x", **fields})


class Bomb:
    def __reduce__(self):
        return (threading.main_thread, ())


def nested(depth):
    value = ()
    for _ in range(depth):
        value = (value, value)
    return value


HOSTILE = {
    "code": pickle.dumps(("mail.send", None, (Bomb(),), {})),
    "shared tuples": pickle.dumps(("mail.send", None, ([nested(40)],), {})),
    "invented length": b"\x80\x05\x96" + (2**40).to_bytes(8, "little"),
    "not a pickle": b"\x00\xff",
    "huge number": pickle.dumps(("mail.send", None, (10**5000, float("nan")), {})),
    "surrogates": pickle.dumps(("mail.send", None, ("\ud800",), {"\udfff": 1})),
    "script": pickle.dumps(("<script>alert(1)</script>", None, ("<img src=x>",), {})),
    "recursive": b"\x80\x04X\x01\x00\x00\x00fN](h\x00ae}\x94t.",
    "zip bomb": zlib.compress(b"\0" * 50_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_payloads_stay_data(api, emails, raw, name):
    planted(raw, {"data": HOSTILE[name], "description": "<script>(", "exc_info": b"\xff\0Boom: secret"})
    for token in ("operator", "reader"):
        answer = await api.get(token, "/v1/jobs/planted")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
    assert (await api.get("reader", "/v1/jobs/planted/explain")).status_code == 200


async def test_a_key_that_takes_for_ever_to_hash_is_not_hashed(api, emails, raw):
    shared = b"\x80\x04)\x94" + b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86\x94" for n in range(60))
    planted(raw, {"data": b"\x80\x04}" + shared[2:] + b"K\x01s."})
    answer = await api.get("operator", "/v1/jobs/planted")
    assert "plain keys" in answer.json()["args"]


async def test_cancel(api, emails, raw):
    job_id = await enqueued(api)
    assert (await api.post("operator", f"/v1/jobs/{job_id}/cancel")).json()["outcome"] == "canceled"
    assert Job.fetch(job_id, connection=raw).is_canceled
    assert rq.Queue("emails", connection=raw).job_ids == []
    assert (await api.post("operator", f"/v1/jobs/{job_id}/cancel")).status_code == 409
    assert (await api.post("operator", "/v1/jobs/none/cancel")).status_code == 404


async def test_a_running_job_is_stopped_by_its_worker(api, emails, raw):
    job_id = await enqueued(api)
    job = Job.fetch(job_id, connection=raw)
    raw.hset(job.key, mapping={"status": "started", "worker_name": "pod-1.0"})
    ear = raw.pubsub()
    ear.subscribe("rq:pubsub:pod-1.0")
    ear.get_message(timeout=5)
    assert (await api.post("operator", f"/v1/jobs/{job_id}/cancel")).json()["outcome"] == "stopping"
    assert job_id in ear.get_message(timeout=5)["data"].decode()
    ear.close()


def failed(raw, meta=None):
    """A job that failed in RQ's own way, with a meta that only its own code can read."""
    queue = rq.Queue("emails", connection=raw)
    job = queue.enqueue("mail.send", "ada@example.com", meta=meta or {})
    raw.lrem(queue.key, 0, job.id)
    trace = "Traceback:\n  line\nValueError: ada@example.com is no name\n"
    with raw.pipeline() as pipeline:
        job.set_status("failed", pipeline=pipeline)
        FailedJobRegistry("emails", connection=raw).add(job, ttl=-1, exc_string=trace, pipeline=pipeline)
        Result.create_failure(job, 600, trace, pipeline=pipeline)
        pipeline.execute()
    return job.id


async def test_the_dead_set_requeues_and_forgets(api, emails, raw):
    job_id = failed(raw, meta={"bomb": Bomb()})
    dead = (await api.get("reader", "/v1/dead?queue=emails")).json()
    assert (dead["total"], dead["jobs"][0]["id"], dead["jobs"][0]["reason"]) == (1, job_id, "ValueError")
    assert "ada@" not in str(dead)
    assert "ada@example.com is no name" in str((await api.get("operator", "/v1/dead")).json())
    assert "dead set: ValueError" in (await api.get("reader", f"/v1/jobs/{job_id}/explain")).json()["sentence"]
    meta = raw.hget(f"rq:job:{job_id}", "meta")
    raw.hset(f"rq:job:{job_id}", "headgate_losses", 4)
    answer = await api.post("operator", f"/v1/jobs/{job_id}/requeue")
    assert answer.json()["outcome"] == "requeued"
    assert raw.hget(f"rq:job:{job_id}", "headgate_losses") is None, "or its next lost process would set it aside again"
    assert raw.hget(f"rq:job:{job_id}", "meta") == meta
    assert rq.Queue("emails", connection=raw).job_ids == [job_id]
    assert (await api.post("operator", f"/v1/jobs/{job_id}/requeue")).status_code == 409
    other = failed(raw)
    assert (await api.send("DELETE", "operator", f"/v1/dead/{job_id}")).status_code == 409
    assert (await api.send("DELETE", "producer", f"/v1/dead/{other}")).status_code == 403
    assert (await api.send("DELETE", "operator", f"/v1/dead/{other}")).json()["outcome"] == "deleted"
    assert (await api.get("reader", f"/v1/jobs/{other}")).status_code == 404


async def test_explain_a_job_names_what_is_before_it_and_what_holds_the_queue(api, emails, door: Door):
    for job in ("a", "b", "c", "d"):
        door.enqueue(Enqueue("emails", job, {"origin": b"emails", "data": b"x", "status": b"queued"}))
        if job in "ab":
            door.claim(Claim("emails", f"pod-1.{job}", "pod-1", f"nonce-{job}", f"execution-{job}"))
    found = (await api.get("reader", "/v1/jobs/d/explain")).json()
    assert found["position"] == 1
    assert found["sentence"] == "1 job before it in queue emails; no worker serves queue emails"
    assert sorted(one["job_id"] for one in found["queue"]["held_by"]) == ["a", "b"]
    running = (await api.get("reader", "/v1/jobs/a/explain")).json()
    assert running["lease_ends"] > found["queue"]["now"]
    assert running["sentence"].startswith("it runs on pod-1.a")
