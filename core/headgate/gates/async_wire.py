"""One asyncio connection for scripts: many questions under way at once, replies matched in order, a deadline for each.

redis-py opens it (URL, TLS, AUTH, SELECT, unix); then its transport is ours: hiredis reads, and writes are gathered,
which is what keeps an HTTP server fast (four questions a write: 0.96 of the bare server's rate; one each: 0.92).
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, cast

import hiredis
import redis
from redis.asyncio.connection import ConnectionPool

from headgate.errors import StoreUnavailable
from headgate.gates.client import backoff
from headgate.gates.wire import ReplyError, pack

GATHER = 4
"""So many questions are written at once; fewer at the end of the loop's turn."""
DEADLINE_SECONDS = 0.1
PROBE_SECONDS = 1.0
"""How long opening a connection and its first answer may take."""
_STALL_SECONDS = 0.005
"""A loop that stood still finds timers due before it has read what arrived meanwhile: look once more after this."""


class AsyncWire:
    """Connects at the first question. A failure fails all that wait and opens the breaker: from then on questions fail
    at once, and a probe in the background connects anew (fresh DNS) with growing, jittered waits of at most 5 s.

    Belongs to the loop of its first question.
    """

    def __init__(self, url: str, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._pool: Any = ConnectionPool.from_url(
            url, protocol=2, socket_connect_timeout=PROBE_SECONDS, socket_timeout=PROBE_SECONDS, driver_info=None
        )
        self._deadline = deadline
        self._loop: asyncio.AbstractEventLoop | None = None
        self._link: _Link | None = None
        self._buffer: list[bytes] = []
        self._pending: deque[asyncio.Future[Any]] = deque()
        self._due: deque[float] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._second_look = 0.0
        self._opener: asyncio.Task[None] | None = None
        self.fault: str | None = None
        """Why the breaker is open; None while it is closed."""

    def ask(self, command: bytes) -> asyncio.Future[Any]:
        """The reply to one packed command, which is sent at most once. Raises `StoreUnavailable` while the breaker is
        open; the future raises it, or `ReplyError`."""
        if self.fault is not None:
            raise StoreUnavailable(self.fault)
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        if self._link is None and self._opener is None:
            self._opener = loop.create_task(self._open())
        future: asyncio.Future[Any] = loop.create_future()
        self._pending.append(future)
        self._due.append(loop.time() + self._deadline)
        buffer = self._buffer
        buffer.append(command)
        waiting = len(buffer)
        if waiting >= GATHER:
            self._flush()
        elif waiting == 1:
            loop.call_soon(self._flush)
        if self._timer is None:
            self._timer = loop.call_later(self._deadline, self._look)
        return future

    async def close(self) -> None:
        opener = self._opener
        self.abort()
        if opener is not None:
            with suppress(asyncio.CancelledError):
                await opener

    def abort(self) -> None:
        """As `close`, without waiting for a connection that is being opened."""
        opener, self._opener = self._opener, None
        self._fail("this connection was closed")
        if opener is not None:
            opener.cancel()

    # ---- what the connection calls ----

    def received(self, replies: hiredis.Reader) -> None:
        """Hand out all whole replies."""
        pending, due = self._pending, self._due
        reply = replies.gets()
        while reply is not False:
            if not pending:
                self.lost("the store answered what nobody asked")
                return
            future = pending.popleft()
            due.popleft()
            if not future.done():
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(ReplyError(str(reply)))
                else:
                    future.set_result(reply)
            reply = replies.gets()

    def lost(self, reason: str) -> None:
        """The connection cannot be used any more: open the breaker, and look for the store in the background."""
        self._fail(f"no reply from the store: {reason}")
        if self._opener is None and self._loop is not None and not self._loop.is_closed():
            self._opener = self._loop.create_task(self._reopen())

    # ---- inside ----

    def _flush(self) -> None:
        if self._link is not None and self._buffer:
            commands = self._buffer
            self._link.write(commands[0] if len(commands) == 1 else b"".join(commands))
            self._buffer = []

    def _look(self) -> None:
        """Is the oldest question late? Then whatever comes on this connection comes too late."""
        self._timer = None
        if not self._due or self._loop is None:
            return
        oldest = self._due[0]
        left = oldest - self._loop.time()
        if left <= 0 and self._second_look == oldest:
            self.lost(f"none within {self._deadline:g} s")
            return
        if left <= 0:
            self._second_look, left = oldest, _STALL_SECONDS
        self._timer = self._loop.call_later(left, self._look)

    def _fail(self, reason: str) -> None:
        self.fault = reason
        link, self._link = self._link, None
        if link is not None:
            link.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pending, self._pending = self._pending, deque()
        self._due.clear()
        self._buffer = []
        for future in pending:
            if not future.done():
                future.set_exception(StoreUnavailable(reason))
                future.exception()  # whoever asked may be gone

    async def _open(self) -> None:
        """The first connection: questions wait for it until their deadline."""
        try:
            link = await self._connect()
        except StoreUnavailable as fault:
            self._opener = None
            self.lost(str(fault))
        else:
            self._opener = None
            self._use(link)

    async def _reopen(self) -> None:
        for pause in backoff():
            try:
                link = await self._connect()
            except StoreUnavailable as fault:
                self.fault = str(fault)
                await asyncio.sleep(pause)
            else:
                self._opener = None
                self._use(link)
                return

    def _use(self, link: _Link) -> None:
        self.fault, self._link = None, link
        link.owner = self
        self._flush()

    async def _connect(self) -> _Link:
        """A connection that has answered. Raises `StoreUnavailable`."""
        connection = self._pool.make_connection()
        link: _Link | None = None
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await connection.connect()
                link = _Link(connection)
                await link.greet()
        except (redis.RedisError, OSError, ReplyError) as fault:
            if link is not None:
                link.abort()
            elif connection.is_connected:
                await connection.disconnect(nowait=True)
            raise StoreUnavailable(f"cannot connect to the store: {fault or type(fault).__name__}") from fault
        except asyncio.CancelledError:
            if link is not None:
                link.abort()
            raise
        return link


class _Link(asyncio.Protocol):
    """redis-py's connection, taken over after its handshake."""

    def __init__(self, connection: Any) -> None:
        writer = connection._writer
        self._transport = cast(asyncio.Transport, writer.transport)
        self._streams = writer  # kept: its finalizer would close the transport
        connection._reader = connection._writer = None
        self._replies = hiredis.Reader()
        self._greeting: asyncio.Future[None] | None = None
        self.owner: AsyncWire | None = None
        self._transport.set_protocol(self)
        # Otherwise uvloop writes at the end of its turn, and the store idles until then.
        self._transport.set_write_buffer_limits(high=0)
        self.write = self._transport.write

    async def greet(self) -> None:
        """Until it has answered PING: a listening socket alone says nothing."""
        self._greeting = asyncio.get_running_loop().create_future()
        self.write(pack(("PING",)))
        await self._greeting

    def abort(self) -> None:
        self.owner = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        if self.owner is not None:
            try:
                self.owner.received(self._replies)
            except hiredis.ProtocolError as fault:
                self.owner.lost(str(fault))
            return
        if self._greeting is None or self._greeting.done():
            return
        reply = self._replies.gets()
        if isinstance(reply, hiredis.ReplyError):
            self._greeting.set_exception(ReplyError(str(reply)))
        elif reply is not False:
            self._greeting.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        reason = str(exc or "the store closed the connection")
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_exception(ConnectionError(reason))
        if self.owner is not None:
            self.owner.lost(reason)
