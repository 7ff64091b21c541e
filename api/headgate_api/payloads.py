"""What a job holds, read without running any of its code and shown without growing without bound."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import pickle
import zlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

LONGEST_BYTES = 65_536
"""Larger ones are named by their size."""
MOST_VALUES, DEEPEST, LONGEST_TEXT = 2_000, 12, 4_096


class Unreadable(Exception):
    """It cannot be read without running code, or is broken. `str` says why."""


class _Plain(pickle._Unpickler):  # the one in Python: its steps can be narrowed
    """Refuses every global, and keys that would be hashed for longer than they are long."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        raise Unreadable(f"it holds a {module}.{name}, which only its own code can read")

    def get_extension(self, code: int) -> Any:
        raise Unreadable("it holds a registered extension")

    def persistent_load(self, pid: Any) -> Any:
        raise Unreadable("it holds a persistent id")


def _narrowed(step: Callable[..., None], pairs: bool, marked: bool) -> Callable[..., None]:
    def narrow(unpickler: Any) -> None:
        stack = unpickler.stack
        keys = (stack[::2] if pairs else stack) if marked else stack[-2:-1]
        if not all(isinstance(key, str | bytes | int | float | bool | type(None)) for key in keys):
            raise Unreadable("it holds a dict or set of more than plain keys")
        step(unpickler)

    return narrow


for _code, _pairs, _marked in (
    (pickle.SETITEMS, True, True),
    (pickle.SETITEM, True, False),
    (pickle.DICT, True, True),
    (pickle.ADDITEMS, False, True),
    (pickle.FROZENSET, False, True),
):
    _Plain.dispatch[_code[0]] = _narrowed(_Plain.dispatch[_code[0]], _pairs, _marked)


def _refused(_unpickler: Any) -> None:
    raise Unreadable("it holds a bytearray, whose length it may invent")


_Plain.dispatch[pickle.BYTEARRAY8[0]] = _refused


def loads(data: bytes) -> Any:
    """A pickle or JSON of plain values. Raises `Unreadable`."""
    if len(data) > LONGEST_BYTES:
        raise Unreadable(f"{len(data)} bytes")
    try:
        return json.loads(data) if data[:1] in (b"[", b"{", b'"') else _Plain(io.BytesIO(data)).load()
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"it is broken: {type(error).__name__}") from error


def unzip(raw: bytes) -> bytes:
    """RQ compresses; what is not zlib is taken as it is. Never more than `LONGEST_BYTES` of memory."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(raw, LONGEST_BYTES + 1)
    except zlib.error:
        return raw
    if len(data) > LONGEST_BYTES:
        raise Unreadable(f"more than {LONGEST_BYTES} bytes")
    return data


def call_of(data: bytes) -> tuple[str, Any, Any]:
    """Function, args and kwargs of a job's `data`. Raises `Unreadable`."""
    value = loads(unzip(data))
    if not isinstance(value, list | tuple) or len(value) != 4 or not isinstance(value[0], str):
        raise Unreadable("it is not [function, instance, args, kwargs]")
    return value[0], value[2], value[3]


def shown(read: Callable[[], Any]) -> Any:
    """As JSON values, or a sentence in angle brackets when it cannot be shown."""
    try:
        return _Picture().of(read(), 0)
    except Unreadable as error:
        return f"<not shown: {error}>"


def traceback_of(encoded: bytes) -> str:
    """RQ's `exc_string`: base64 of zlib."""
    try:
        return text(unzip(base64.b64decode(encoded)), LONGEST_BYTES)
    except (Unreadable, binascii.Error, ValueError) as error:
        return f"<not shown: {error}>"


def text(raw: bytes, most: int = LONGEST_TEXT) -> str:
    return raw[:most].decode("utf-8", "replace")


def cause(traceback: str) -> str:
    """The last line of a traceback that says what was raised."""
    lines = [line for line in traceback.strip().splitlines() if line and not line[0].isspace()]
    return lines[-1][:LONGEST_TEXT] if lines else ""


class _Picture:
    """A value as plain JSON: so many values, so deep, so long, and nothing that JSON does not know."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {self._key(key): self.of(one, depth + 1) for key, one in self._some(value.items())}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(one, depth + 1) for one in self._some(value)]
        return self._leaf(value)

    def _some(self, values: Any) -> list[Any]:
        found: list[Any] = []
        for one in values:
            if len(found) >= max(1, self._left):
                break
            found.append(one)
        return found

    @staticmethod
    def _key(key: Any) -> str:
        return _clean(key) if isinstance(key, str) else _clean(ascii(key)[:LONGEST_TEXT])

    @staticmethod
    def _leaf(value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if value.bit_length() <= 63 else f"<{value.bit_length()} bits>"
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return _clean(value)
        return f"<{type(value).__name__} of {len(value)} bytes>" if isinstance(value, bytes | bytearray) else "…"


def _clean(value: str) -> str:
    """Text that UTF-8 can carry, and not too long."""
    short = value[:LONGEST_TEXT] + ("…" if len(value) > LONGEST_TEXT else "")
    return short.encode("utf-8", "replace").decode("utf-8")
