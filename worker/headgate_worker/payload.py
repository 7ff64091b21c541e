"""From a job's stored hash to a function and its arguments, or a refusal before anything of it runs."""

from __future__ import annotations

import io
import json
import pickle
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

from rq.serializers import DefaultSerializer, JSONSerializer
from rq.timeouts import JobTimeoutException

SAFE_RATIO = 1024
"""zlib cannot expand further than about 1030:1, so a small payload needs no bounded decompression."""

Payload = tuple[str, Any, Any, Any]
"""(function name, instance, args, kwargs) as RQ stores them."""


class Refused(Exception):
    """The policy does not let this job run. `reason` is what the dead set and the metrics show."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason


class PlainUnpickler(pickle.Unpickler):
    """Refuses every global, so that reading runs no code: dicts, lists, tuples, sets, text, numbers, bytes are left."""

    def find_class(self, module: str, name: str) -> Any:
        raise Refused("PayloadRefused", f"jobs.payload is Plain and the pickle wants {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise Refused("PayloadRefused", "jobs.payload is Plain and the pickle has a persistent id")


class PlainSerializer:
    """RQ's pickle, read without running any code."""

    dumps = DefaultSerializer.dumps

    @staticmethod
    def loads(data: bytes) -> Any:
        return PlainUnpickler(io.BytesIO(data)).load()


SERIALIZERS: Mapping[str, Any] = {"Any": DefaultSerializer, "Plain": PlainSerializer, "JSON": JSONSerializer}


def serializer_for(payload: Literal["Any", "Plain", "JSON"]) -> Any:
    """The serializer that RQ's own code gets under a policy's payload rule."""
    return SERIALIZERS[payload]


def reader(payload: Literal["Any", "Plain", "JSON"], limit: int) -> Callable[[Mapping[bytes, bytes]], Payload]:
    """A function that reads a job hash's `data` under a payload rule and a limit in bytes, as stored and unpacked.

    It raises `Refused`; under Any also whatever unpickling raises, which is RQ's own failure.
    """
    readers: dict[str, Callable[[bytes], Any]] = {
        "Any": pickle.loads, "Plain": PlainSerializer.loads, "JSON": json.loads,
    }  # fmt: skip
    loads = readers[payload]
    small = limit // SAFE_RATIO

    def read(job: Mapping[bytes, bytes]) -> Payload:
        raw = job.get(b"data")
        if not raw:
            raise Refused("PayloadMissing", "the job's hash has no field `data`")
        data = unzip(raw) if len(raw) <= small else unzip_bounded(raw, limit)
        if payload == "Any":
            name, instance, args, kwargs = loads(data)
            return name, instance, args, kwargs
        return _checked(_load(loads, data, payload))

    return read


def unzip(raw: bytes) -> bytes:
    """RQ compresses; what is not zlib is taken as it is, like RQ does."""
    try:
        return zlib.decompress(raw)
    except zlib.error:
        return raw


def unzip_bounded(raw: bytes, limit: int) -> bytes:
    """Never more than `limit` bytes of memory for a payload that claims to be small."""
    if len(raw) > limit:
        raise Refused("PayloadTooLarge", f"{len(raw)} bytes as stored, the limit is {limit}")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(raw, limit + 1)
    except zlib.error:
        return raw
    if len(data) > limit:
        raise Refused("PayloadTooLarge", f"more than {limit} bytes when unpacked, which is the limit")
    return data


def _load(loads: Callable[[bytes], Any], data: bytes, payload: str) -> Any:
    try:
        return loads(data)
    except (Refused, JobTimeoutException):
        raise
    except Exception as error:
        raise Refused("PayloadRefused", f"jobs.payload is {payload} and the payload is not: {error}") from error


def _checked(value: Any) -> Payload:
    """Under Plain and JSON the shape is checked too: a method of an instance would be code chosen by the producer."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise Refused("PayloadRefused", "the payload is not [function, instance, args, kwargs]")
    name, instance, args, kwargs = value
    if not isinstance(name, str) or not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise Refused("PayloadRefused", "the payload is not [function, instance, args, kwargs]")
    if instance is not None:
        raise Refused(
            "PayloadRefused", f"{name} is a method of an instance; only functions run under this payload rule"
        )
    return name, None, args, kwargs


def plain_meta(raw: bytes | None) -> Mapping[str, Any]:
    """A job's `meta` read without running any code; empty when it is not plain."""
    if not raw:
        return {}
    for loads in (PlainSerializer.loads, json.loads):
        try:
            value = loads(raw)
        except Exception:  # noqa: S112 - whatever a planted value raises, it has no key
            continue
        return value if isinstance(value, dict) else {}
    return {}
