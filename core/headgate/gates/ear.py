"""One connection per worker process tree that hears everything a supervisor waits for, without polling.

Client tracking (RESP3) tells of the queue's list, the policy and RQ's suspension; channels carry wakes and commands.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import hiredis
import redis
from redis.connection import ConnectionPool

from headgate.errors import StoreUnavailable
from headgate.gates.client import CONNECT_SECONDS
from headgate.gates.keys import Keys
from headgate.gates.wire import Argument, pack

REPLY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """The queue's list changed since `arm`: claim, and arm again while a slot is idle."""


@dataclass(frozen=True, slots=True)
class Woken:
    """A place of `queue` is free and this pod is next: claim at once (a budget's place is kept for 500 ms)."""

    queue: str


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The queue's document has another revision (0: it was removed): read it again."""

    revision: int


@dataclass(frozen=True, slots=True)
class SuspendChanged:
    """RQ was suspended or resumed."""

    suspended: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A message on one of RQ's command channels."""

    channel: str
    payload: bytes


Event = Arrived | Woken | PolicyChanged | SuspendChanged | Command


class Ear:
    """Connects at once. `channels` are RQ's command channels (`Keys.commands(slot)`).

    Wait for `fileno()` to be readable, then `read()`. `arm()` hears the next change of the queue's list, once; arm only
    while a slot is idle, since each claim changes the list too. Any failure raises StoreUnavailable: `reconnect()`.
    """

    def __init__(self, url: str, prefix: str, queue: str, instance: str, channels: Iterable[str] = ()) -> None:
        self._keys = Keys(prefix)
        self._queue, self._channels = queue, set(channels)
        self._list, self._policy = self._keys.queue(queue), self._keys.policy(queue)
        self._wake = self._keys.wake(instance)
        self._connection: Any = ConnectionPool.from_url(
            url, protocol=3, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ).make_connection()
        self._socket: Any = None
        self._reader = hiredis.Reader()
        self._events: list[Event] = []
        self._revision, self._suspended = 0, False
        self.tracking = False
        """Does the server (or a proxy before it) support client tracking? If not: `arm()` now and then instead."""
        self.reconnect()

    def fileno(self) -> int:
        number: int = self._socket.fileno()
        return number

    def close(self) -> None:
        self._socket = None
        self._connection.disconnect()

    def reconnect(self) -> None:
        """Connect anew, subscribe and track as before. What changed meanwhile comes with the next `read()`."""
        self.close()
        self._reader = hiredis.Reader()
        try:
            self._connection.connect()
        except (redis.RedisError, OSError) as fault:
            self.close()
            raise StoreUnavailable(f"cannot connect to the store: {fault}") from fault
        self._socket = self._connection._sock
        self._ask("SUBSCRIBE", self._wake, *self._channels, replies=0)
        try:
            self._ask("CLIENT", "TRACKING", "ON")
            self.tracking = True
        except hiredis.ReplyError:
            self.tracking = False
        self._look()

    def listen(self, channels: Iterable[str]) -> None:
        """Hear exactly these command channels from now on."""
        wanted = set(channels)
        for verb, some in (("UNSUBSCRIBE", self._channels - wanted), ("SUBSCRIBE", wanted - self._channels)):
            if some:
                self._ask(verb, *some, replies=0)
        self._channels = wanted

    def arm(self) -> int:
        """Hear the next change of the queue's list; its length now. Then `read()`: something may have come with it."""
        length: int = self._ask("LLEN", self._list)
        return length

    def read(self) -> list[Event]:
        """What came since the last call; never waits."""
        self._receive()
        self._drain()
        if self._stale:
            self._look()
        events, self._events = self._events, []
        return events

    # ---- the wire ----

    _stale = False

    def _look(self) -> None:
        """Read, and so track, the policy's revision and RQ's suspension; tell when they changed."""
        self._stale = False
        revision = int(self._ask("HGET", self._policy, "revision") or 0)
        suspended = self._ask("EXISTS", self._keys.suspended) == 1
        if revision != self._revision:
            self._events.append(PolicyChanged(revision))
        if suspended != self._suspended:
            self._events.append(SuspendChanged(suspended))
        self._revision, self._suspended = revision, suspended

    def _ask(self, *arguments: Argument, replies: int = 1) -> Any:
        try:
            self._socket.settimeout(REPLY_SECONDS)
            self._socket.sendall(pack(arguments))
            while replies:
                reply = self._reader.gets()
                if reply is False:
                    self._feed(self._socket.recv(65536))
                elif isinstance(reply, hiredis.PushNotification):
                    self._hear(reply)
                elif isinstance(reply, hiredis.ReplyError):
                    raise reply
                else:
                    return reply
        except (OSError, AttributeError, hiredis.ProtocolError) as fault:
            raise self._broken(fault) from fault
        except hiredis.ReplyError:
            raise
        except BaseException:  # a signal's exception between question and answer
            self.close()
            raise

    def _receive(self) -> None:
        try:
            self._socket.setblocking(False)
            while True:
                self._feed(self._socket.recv(65536))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except (OSError, AttributeError) as fault:
            raise self._broken(fault) from fault

    def _drain(self) -> None:
        reply = self._reader.gets()
        while reply is not False:
            self._hear(reply)
            reply = self._reader.gets()

    def _feed(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("the store closed the connection")
        self._reader.feed(data)

    def _broken(self, fault: Exception) -> StoreUnavailable:
        self.close()
        return StoreUnavailable(f"the connection that listens to the store broke: {fault or type(fault).__name__}")

    def _hear(self, push: Any) -> None:
        kind = push[0]
        if kind == b"message":
            channel = push[1].decode()
            self._events.append(Woken(push[2].decode()) if channel == self._wake else Command(channel, push[2]))
        elif kind == b"invalidate":
            changed = None if push[1] is None else {key.decode() for key in push[1]}
            if changed is None or self._list in changed:
                self._events.append(Arrived())
            self._stale = self._stale or changed is None or not changed.isdisjoint((self._policy, self._keys.suspended))
