"""The hot call: the arguments of the verb, and a grant that is told briefly but whole."""

from typing import Any

import hiredis
import pytest
from rq.job import Job

from headgate.gates import replies, requests
from headgate.gates.cycle import Cycle
from headgate.gates.door import Door
from headgate.gates.verbs import Claim, Done, Finish, Finished, Grant
from headgate.gates.wire import pack
from tests.gates.play import Play

NEXT = b"e" * 31 + b"2"
BEGAN, ENDED = "2026-11-24T23:11:38.000042Z", "2026-11-24T23:11:39.100042Z"
PAIRS = (BEGAN.encode(), b"1795561898.000042"), (ENDED.encode(), b"1795561899.100042")


def sent(door: Door, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Collects the packed commands instead of sending them."""
    commands: list[bytes] = []
    monkeypatch.setattr(door, "run", lambda _verb, command: commands.append(command))
    return commands


def parsed(command: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(command)
    return reader.gets()


@pytest.mark.parametrize(
    "places",
    [(), (b"b1:team/mail",), (b"b2:team/mail", b"k100% \0\r\n$2\r\n%b\r\n\xff")],
    ids=["none", "budget", "hostile key"],
)
@pytest.mark.parametrize("seq", [0, 12345678])
def test_the_same_arguments_as_the_verb(
    monkeypatch: pytest.MonkeyPatch, valkey_url: str, places: tuple[bytes, ...], seq: int
) -> None:
    door = Door(valkey_url)
    door.epoch, door.seq = b"1795561898000042", seq
    commands = sent(door, monkeypatch)
    for job, result in ((b"job-1", b""), (b"100%d\xc3\xa4", b"gASVAgAAAAAAAACMAJQu")):
        Cycle("q", "a.0", "a").call(door, NEXT, job, b"e" * 32, places, result, -1, *PAIRS)
        names = tuple(place.decode(errors="surrogateescape") for place in places)
        done = Done(result, -1, BEGAN, ENDED)
        finish = Finish("q", "a.0", job.decode(), "e" * 32, 1, done, names)
        verb = requests.finish_claim(finish, Claim("q", "a.0", "a", "", NEXT.decode()))
        assert parsed(commands.pop()) == parsed(pack((*door.head("finish_claim"), seq, *verb)))


def test_templates_follow_a_new_epoch(monkeypatch: pytest.MonkeyPatch, valkey_url: str) -> None:
    door, cycle = Door(valkey_url), Cycle("q", "a.0", "a")
    commands = sent(door, monkeypatch)
    for epoch in (b"1", b"22", b"22"):
        door.epoch = epoch
        cycle.call(door, NEXT, b"j", b"e" * 32, (), b"", 5, *PAIRS)
    assert [parsed(command)[5] for command in commands] == [b"1", b"22", b"22"]


def test_a_plain_job_is_told_briefly(store_url: str) -> None:
    play, reply = cycled(store_url)
    assert reply[3] == b"ok"
    code, job, _fence, _more, revision, places, data, timeout, result_ttl, enqueued_at = reply[4]
    stored = play.client.hgetall(f"rq:job:{job.decode()}")
    assert (code, revision, places) == (b"B", 1, [])
    assert (data, timeout, result_ttl, enqueued_at) == (
        stored[b"data"], stored[b"timeout"], stored.get(b"result_ttl", b""), stored[b"enqueued_at"],
    )  # fmt: skip
    assert stored[b"status"] == b"started"
    play.close()


@pytest.mark.parametrize(
    "field",
    [
        "success_callback_name", "failure_callback_name", "stopped_callback_name", "repeats_left", "rate_limit_key",
        "webhooks", "headgate_bounces",
    ],
)  # fmt: skip
def test_a_job_with_anything_unusual_comes_as_its_hash(valkey_url: str, field: str) -> None:
    play, reply = cycled(valkey_url, {field: "1"})
    assert reply[4][0] == b"G"
    answer = replies.claim(reply[4], NEXT.decode())
    assert isinstance(answer, Grant)
    assert answer.job[field.encode()] == b"1"
    play.close()


def test_a_large_payload_is_not_sent_twice(valkey_url: str) -> None:
    play, reply = cycled(valkey_url, {"data": "x" * 4097})
    assert reply[4][0] == b"G"
    play.close()


def test_the_same_call_again_gets_the_same_grant(valkey_url: str) -> None:
    play, reply = cycled(valkey_url)
    again = call(play, b"e" * 32)
    assert again[3] == b"ok"
    answer = replies.claim(again[4], NEXT.decode())
    assert isinstance(answer, Grant)
    assert (answer.job_id.encode(), answer.fence) == (reply[4][1], reply[4][2])
    play.close()


def test_dependents_that_came_meanwhile_stop_it(valkey_url: str) -> None:
    play, first = started(valkey_url)
    play.client.sadd(Job.dependents_key_for(first.job_id), "other")
    reply = call(play, b"e" * 32)
    assert (Finished(reply[3].decode()), reply[4]) == (Finished.SLOW, None)
    play.close()


def started(url: str) -> tuple[Play, Grant]:
    play = Play(url)
    play.policy(total=5)
    play.beat("a")
    play.enqueue(2)
    grant = play.door.claim(Claim("q", "a.0", "a", "n1", "e" * 32))
    assert isinstance(grant, Grant)
    return play, grant


def cycled(url: str, change: dict[str, str] | None = None) -> tuple[Play, Any]:
    """The reply of a hot call whose next job has these fields."""
    play, _grant = started(url)
    (second,) = play.client.lrange("rq:queue:q", 0, -1)
    if change:
        play.client.hset(f"rq:job:{second.decode()}", mapping=change)
    return play, call(play, b"e" * 32)


def call(play: Play, ended: bytes) -> Any:
    (member,) = [name for name in play.client.zrange("rq:hg:q:q:held", 0, -1) if name.endswith(ended)] or [b"gone:"]
    job = member.partition(b":")[0]
    return Cycle("q", "a.0", "a").call(play.door, NEXT, job, ended, (), b"", 500, *PAIRS)
