"""One blocking connection for scripts: redis-py's handshake (URL, TLS, AUTH, SELECT, unix), then its bare socket.

A reply costs one `recv` and hiredis' parser; commands are packed from prepared bytes. Not for several threads.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Sequence
from typing import Any

import hiredis
import redis
from redis.connection import ConnectionPool

from headgate.errors import HeadgateError, StoreUnavailable
from headgate.gates.client import CONNECT_SECONDS

Argument = bytes | str | int


def pack(arguments: Sequence[Argument]) -> bytes:
    """A command as RESP."""
    packed: bytes = hiredis.pack_command(tuple(arguments))
    return packed


class ReplyError(HeadgateError):
    """An error reply; `str` is its text without the dash."""


class Wire:
    """Connects at the first call. Any failure closes the socket, so a late reply can never answer another call."""

    def __init__(self, url: str, *, timeout: float = 0.65) -> None:
        self._connection: Any = ConnectionPool.from_url(
            url, protocol=2, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS, driver_info=None
        ).make_connection()
        self._timeout = timeout
        self._socket: Any = None
        self._reader = hiredis.Reader()
        self._buffer = bytearray(16384)  # one for all replies: a new one each time costs two page faults

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def close(self) -> None:
        self._socket = None
        self._reader = hiredis.Reader()
        self._connection.disconnect()

    def call(self, command: bytes) -> Any:
        """Send one packed command and wait for its reply. Raises `StoreUnavailable` or `ReplyError`."""
        if self._socket is None:
            self._connect()
        try:
            self._socket.sendall(command)
            reply = self._reader.gets()
            while reply is False:
                size = self._socket.recv_into(self._buffer)
                if not size:
                    raise ConnectionError("the store closed the connection")
                self._reader.feed(self._buffer, 0, size)
                reply = self._reader.gets()
        except (OSError, ssl.SSLError, hiredis.ProtocolError) as fault:
            self.close()
            late = isinstance(fault, BlockingIOError | TimeoutError | ssl.SSLWantReadError)
            reason = f"none within {self._timeout:g} s" if late else str(fault) or type(fault).__name__
            raise StoreUnavailable(f"no reply from the store: {reason}") from fault
        except BaseException:  # a signal's exception between question and answer
            self.close()
            raise
        if type(reply) is not list and isinstance(reply, hiredis.ReplyError):
            raise ReplyError(str(reply))
        return reply

    def _connect(self) -> None:
        try:
            self._connection.connect()
        except (redis.RedisError, OSError) as fault:
            self.close()
            raise StoreUnavailable(f"cannot connect to the store: {fault}") from fault
        self._socket = self._connection._sock
        self._reader = hiredis.Reader()
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(self._timeout)
            return
        # The kernel keeps the time: a Python timeout would poll before each recv.
        self._socket.settimeout(None)
        seconds = int(self._timeout)
        limit = struct.pack("ll", seconds, int((self._timeout - seconds) * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
