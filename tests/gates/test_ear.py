"""The ear hears arrivals, wakes, policies, suspension and RQ's commands, once each, also after it was cut off."""

import select
import time
from collections.abc import Iterator

import pytest
from rq import Queue, suspension
from rq.command import send_stop_job_command

from headgate.errors import StoreUnavailable
from headgate.gates.ear import Arrived, Command, Ear, Event, PolicyChanged, SuspendChanged, Woken
from tests.gates.play import Play


@pytest.fixture
def ear(play: Play) -> Iterator[Ear]:
    listener = Ear(play.url, "rq", "q", "a", ["rq:pubsub:a.0"])
    yield listener
    listener.close()


def heard(ear: Ear, count: int, seconds: float = 3.0) -> list[Event]:
    """At least `count` events, or what came in `seconds`."""
    events: list[Event] = []
    deadline = time.monotonic() + seconds
    while len(events) < count and time.monotonic() < deadline:
        select.select([ear], [], [], 0.2)
        events += ear.read()
    return events


def silent(ear: Ear) -> bool:
    return heard(ear, 1, 0.15) == []


def test_an_arrival_is_heard_once_per_arm_whatever_made_it(play: Play, ear: Ear) -> None:
    play.policy()
    heard(ear, 1)
    assert ear.arm() == 0
    play.enqueue(3)
    assert heard(ear, 1) == [Arrived()]
    assert silent(ear)
    assert ear.arm() == 3
    Queue("q", connection=play.client).enqueue(print, at_front=True)
    assert heard(ear, 1) == [Arrived()]
    ear.arm()
    play.client.lrem("rq:queue:q", 1, play.client.lindex("rq:queue:q", 0))
    assert heard(ear, 1) == [Arrived()]
    play.enqueue(1, queue="other")
    assert silent(ear)


def test_what_comes_with_arms_own_reply_is_not_lost(play: Play, ear: Ear) -> None:
    ear.arm()
    play.enqueue(1)
    time.sleep(0.05)
    assert ear.arm() == 1
    assert ear.read() == [Arrived()]


def test_wakes_and_commands(play: Play, ear: Ear) -> None:
    play.policy(total=1)
    play.beat("a"), play.beat("b")
    (job, _) = play.enqueue(2)
    heard(ear, 1)
    play.claim("b.0"), play.claim("a.0")
    job.worker_name = "a.0"
    play.client.hset(job.key, "worker_name", "a.0")
    send_stop_job_command(play.client, job.id)
    (command,) = heard(ear, 1)
    assert isinstance(command, Command)
    assert command.channel == "rq:pubsub:a.0"
    assert b"stop-job" in command.payload
    play.finish("b.0")
    assert heard(ear, 1) == [Woken("q")]


def test_policies_and_suspension(play: Play, ear: Ear) -> None:
    play.policy()
    assert heard(ear, 1) == [PolicyChanged(1)]
    play.policy(total=1)
    assert heard(ear, 1) == [PolicyChanged(2)]
    suspension.suspend(play.client)
    assert heard(ear, 1) == [SuspendChanged(True)]
    suspension.resume(play.client)
    assert heard(ear, 1) == [SuspendChanged(False)]
    play.client.delete("rq:hg:policy:q")
    assert heard(ear, 1) == [PolicyChanged(0)]


def test_a_queue_put_to_sleep_is_no_new_policy(play: Play, ear: Ear) -> None:
    play.policy()
    heard(ear, 1)
    play.client.hset("rq:hg:policy:q", "sleep", "9")
    assert silent(ear)


def test_a_new_ear_hears_what_is_already_there(play: Play) -> None:
    play.policy()
    suspension.suspend(play.client)
    late = Ear(play.url, "rq", "q", "a")
    assert late.read() == [PolicyChanged(1), SuspendChanged(True)]
    late.close()


def test_channels_follow_the_slots(play: Play, ear: Ear) -> None:
    ear.listen(["rq:pubsub:a.1", "rq:pubsub:a.2"])
    for slot in range(3):
        play.client.publish(f"rq:pubsub:a.{slot}", str(slot))
    assert heard(ear, 2) == [Command("rq:pubsub:a.1", b"1"), Command("rq:pubsub:a.2", b"2")]
    ear.listen([])
    play.client.publish("rq:pubsub:a.1", "x")
    assert silent(ear)


def test_a_cut_ear_says_so_and_hears_again_after_reconnect(play: Play, ear: Ear) -> None:
    ear.arm()
    play.client.client_kill_filter(_type="pubsub", skipme=True)
    with pytest.raises(StoreUnavailable):
        heard(ear, 1)
    with pytest.raises(StoreUnavailable):
        ear.arm()
    play.policy(total=1)
    ear.reconnect()
    assert heard(ear, 1) == [PolicyChanged(1)]
    assert ear.arm() == 0
    play.client.publish("rq:pubsub:a.0", "x")
    play.enqueue(1)
    assert heard(ear, 2) == [Command("rq:pubsub:a.0", b"x"), Arrived()]


def test_an_emptied_store_is_heard_as_a_change_of_everything(play: Play, ear: Ear) -> None:
    play.policy()
    heard(ear, 1)
    ear.arm()
    play.client.flushall()
    assert heard(ear, 2) == [Arrived(), PolicyChanged(0)]


def test_a_server_without_tracking_is_told_apart(play: Play) -> None:
    play.client.acl_setuser(
        "proxy", enabled=True, passwords=["+pw"], keys=["*"], channels=["*"], commands=["+@all", "-client|tracking"]
    )
    deaf = Ear(play.url.replace("redis://", "redis://proxy:pw@"), "rq", "q", "a")
    assert not deaf.tracking
    play.enqueue(2)
    assert deaf.arm() == 2
    play.client.publish("rq:hg:wake:a", "q")
    assert heard(deaf, 1) == [Woken("q")]
    deaf.close()


def test_nobody_to_hear() -> None:
    with pytest.raises(StoreUnavailable, match="cannot connect"):
        Ear("redis://127.0.0.1:1/0", "rq", "q", "a")
