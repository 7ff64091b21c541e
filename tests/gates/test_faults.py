"""A store that is full, read-only, unsuitable, gone, frozen or behind a password: what each verb then says and does."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from headgate.errors import HeadgateError, StoreFull, StoreUnavailable, StoreUnsuitable
from headgate.gates import client, suitability
from headgate.gates.async_door import AsyncDoor
from headgate.gates.door import Door
from headgate.gates.faults import fault_of
from headgate.gates.verbs import Enqueue, Finished, Grant, Kept, Owner, Published, Wait
from headgate.model.documents import QueueDocument
from tests.gates.play import Play
from tests.stores import StoreServer, redis_binary, valkey_binary


@pytest.fixture(params=["valkey", "redis"])
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreServer]:
    """A server that the test may break."""
    server = StoreServer(valkey_binary() if request.param == "valkey" else redis_binary(), tmp_path).start()
    yield server
    server.kill()


@pytest.fixture
def breakable(own_server: StoreServer) -> Iterator[Play]:
    fleet = Play(own_server.url)
    yield fleet
    fleet.close()


def test_above_maxmemory_nothing_starts_and_what_runs_finishes(play: Play) -> None:
    play.policy(total=3)
    play.beat("a")
    jobs = play.enqueue(5)
    for slot in ("a.0", "a.1", "a.2"):
        play.claim(slot)
    play.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(StoreFull):
            play.claim("a.3")
        with pytest.raises(StoreFull):
            play.door.enqueue(Enqueue("q", "new", {"data": b"x"}))
        with pytest.raises(StoreFull):
            play.door.publish(QueueDocument(queue="q", total=9), Owner("ns/q", "uid-q", 9))
        assert set(play.beat("a").kept.values()) == {Kept.KEPT}
        finished, answer = play.cycle("a.0")
        assert finished is Finished.OK
        assert isinstance(answer, Wait)
        assert answer.blocker == "store.full"
        assert answer.open_at is not None
        assert jobs[0].get_status() == "finished"
        assert play.finish("a.1") is Finished.OK
        assert play.door.seal(play.holding("a.2"))
        assert play.door.release(play.holding("a.2"))
        assert play.door.reap() == ()
        assert play.door.inspect().queues["q"].running == 0
        assert play.door.unpublish("queue", "q", Owner("ns/q", "uid-q", 1))
    finally:
        play.client.config_set("maxmemory", "0")


def test_a_read_only_replica_is_unavailable(breakable: Play) -> None:
    breakable.policy()
    breakable.client.replicaof("127.0.0.1", "1")
    with pytest.raises(StoreUnavailable):
        breakable.claim("a.0")
    breakable.client.replicaof("NO", "ONE")
    breakable.enqueue(1)
    assert isinstance(breakable.claim("a.0"), Grant)


def test_a_dead_store_is_unavailable_within_two_seconds_and_comes_back(
    breakable: Play, own_server: StoreServer
) -> None:
    breakable.policy()
    own_server.kill()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        breakable.claim("a.0")
    assert time.monotonic() - began < 4
    own_server.start()
    breakable.policy()
    breakable.enqueue(1)
    breakable.live(25, "a")
    assert isinstance(breakable.claim("a.0"), Grant), "the store came back empty, one quarantine ago"


def test_a_frozen_store_is_unavailable_and_a_late_reply_answers_nothing(
    breakable: Play, own_server: StoreServer
) -> None:
    breakable.policy()
    breakable.enqueue(2)
    breakable.beat("a")
    claim = breakable.claim_of("a.0")
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match="none within"):
            breakable.door.claim(claim)
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
    first = breakable.door.claim(claim)
    assert isinstance(first, Grant), "the tries of before the thaw ran too, and all got this one grant"
    assert first.fence == 1
    assert breakable.client.zcard("rq:hg:q:q:held") == 1


def test_an_exception_out_of_a_signal_leaves_no_reply_for_the_next_question(
    breakable: Play, own_server: StoreServer
) -> None:
    """A job's timeout, or a stop, may be raised while the door waits."""

    def raised(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    breakable.policy()
    breakable.enqueue(1)
    before = signal.signal(signal.SIGALRM, raised)
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            breakable.door.read_document("q")
    finally:
        signal.signal(signal.SIGALRM, before)
        os.kill(own_server.pid, signal.SIGCONT)
    assert isinstance(breakable.claim("a.0"), Grant)


def test_a_slow_script_of_somebody_else_is_waited_for_or_unavailable(breakable: Play) -> None:
    breakable.policy()
    breakable.client.config_set("busy-reply-threshold", "50")
    stop = threading.Event()

    def hog() -> None:
        with redis.Redis.from_url(breakable.url) as other:
            try:
                other.eval("while true do end", 0)
            except redis.RedisError:
                stop.set()

    thread = threading.Thread(target=hog)
    thread.start()
    time.sleep(0.2)
    try:
        with pytest.raises(StoreUnavailable):
            breakable.claim("a.0")
    finally:
        breakable.client.script_kill()
        thread.join()
    assert stop.is_set()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_store_that_evicts_is_unsuitable(play: Play, policy: str) -> None:
    play.door.check()
    play.client.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(StoreUnsuitable, match=f"maxmemory-policy of the store is {policy}.*noeviction"):
            play.door.check()
    finally:
        play.client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("denied", ["-@admin", "-@dangerous"])
def test_a_user_who_may_not_ask_for_the_configuration_may_still_check(play: Play, denied: str) -> None:
    play.client.acl_setuser("plain", enabled=True, passwords=["+pw"], keys=["rq:*"], categories=["+@all", denied])
    door = Door(play.url.replace("redis://", "redis://plain:pw@"))
    door.check()
    door.close()


@pytest.mark.parametrize(
    ("server", "good"),
    [
        (b"redis_version:7.0.15", True),
        (b"redis_version:7.0.14", False),
        (b"redis_version:6.2.9", False),
        (b"redis_version:8.2.1", True),
        (b"redis_version:7.2.4\r\nvalkey_version:8.0.1", True),
        (b"redis_version:7.2.4\r\nvalkey_version:7.2.9", False),
        (b"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2", True),
        (b"", False),
    ],
)
def test_versions(server: bytes, good: bool) -> None:
    if good:
        suitability.judge(server, b"maxmemory_policy:noeviction")
    else:
        with pytest.raises(StoreUnsuitable, match=r"at least Valkey 8.0.0 or Redis 7.0.15"):
            suitability.judge(server, b"maxmemory_policy:noeviction")


def test_a_wrong_password_says_so(breakable: Play) -> None:
    breakable.client.config_set("requirepass", "secret")
    door = Door(breakable.url)
    with pytest.raises(StoreUnavailable, match="does not let us in: NOAUTH"):
        door.check()
    door.close()
    door = Door(breakable.url.replace("redis://", "redis://:wrong@"))
    with pytest.raises(StoreUnavailable, match="invalid username-password"):
        door.check()
    door.close()
    door = Door(breakable.url.replace("redis://", "redis://:secret@"))
    door.check()
    door.close()


def test_nobody_listens() -> None:
    door = Door("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable, match="cannot connect"):
        door.check()


def test_a_unix_socket_and_a_database_number(own_server: StoreServer, tmp_path: Path) -> None:
    path = tmp_path / "store.sock"
    server = StoreServer(valkey_binary(), tmp_path, "--unixsocket", str(path)).start()
    door = Door(f"unix://{path}?db=3", "other")
    assert isinstance(door.publish(QueueDocument(queue="q"), Owner("ns/q", "u", 1)), Published)
    with redis.Redis.from_url(server.url) as seen:
        assert seen.dbsize() == 0
        assert seen.info("keyspace")["db3"]["keys"] == 3
    with client.connect(f"unix://{path}?db=3") as plain:
        assert plain.exists("other:hg:policy:q")
    door.close()
    server.kill()


def test_another_prefix_is_another_tenant(play: Play) -> None:
    play.policy(total=1)
    other = Door(play.url, "{team}")
    assert other.inspect().queues == {}
    other.publish(QueueDocument(queue="q", total=1), Owner("ns/q", "u", 1))
    assert play.client.exists("{team}:hg:policy:q")
    other.close()


async def test_the_asyncio_door_says_the_same(store_url: str) -> None:
    door = AsyncDoor(store_url)
    await door.check()
    owner = Owner("ns/q", "u", 1)
    assert isinstance(await door.publish(QueueDocument(queue="q", total=2), owner), Published)
    assert await door.read_document("q") == (1, QueueDocument(queue="q", total=2))
    declared = (await door.read_declared("q")).queue
    assert declared is not None
    assert declared.owner == owner
    assert (await door.inspect()).queues["q"].revision == 1
    assert await door.reap() == ()
    assert await door.unpublish("queue", "q", owner)
    assert await door.read_document("q") is None
    await door.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("headgate-store")] == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", StoreFull),
        ("READONLY You can't write against a read only replica.", StoreUnavailable),
        ("LOADING Redis is loading the dataset in memory", StoreUnavailable),
        ("MISCONF Redis is configured to save RDB snapshots", StoreUnavailable),
        ("BUSY Redis is busy running a script.", StoreUnavailable),
        ("MASTERDOWN Link with MASTER is down", StoreUnavailable),
        ("ERR something else", HeadgateError),
    ],
)
def test_error_replies(reply: str, kind: type[HeadgateError]) -> None:
    assert type(fault_of(reply)) is kind


def test_backoff_grows_to_its_limit_and_is_never_the_same_for_all() -> None:
    waits = client.backoff()
    first = [next(waits) for _ in range(12)]
    assert all(0.05 <= wait <= 5 for wait in first)
    assert all(2.5 <= wait <= 5 for wait in first[7:])
    assert len(set(first)) == 12
