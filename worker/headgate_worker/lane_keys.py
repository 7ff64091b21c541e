"""The perKey key of jobs whose producer put it into `meta`: read here, without running any code of theirs.

The store reads what it can by itself (gates/lua/lib/meta_key.lua) and asks for the rest: one rule, `key_of`, for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headgate_worker.payload import plain_meta

LONGEST_KEY = 256
LONGEST_NUMBER_BITS = 512
REMEMBERED = 512
"""Two windows of the store's index."""


class LaneKeys:
    def __init__(self, prefix: str, connect: Callable[[], Any]) -> None:
        self._prefix = prefix
        self._connect = connect

    def read(self, job_ids: Sequence[str], field: str) -> dict[str, str | None]:
        """Job id -> key, None for a job without one (then perKey does not apply to it)."""
        if not job_ids:
            return {}
        with self._connect().pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hget(f"{self._prefix}:job:{job_id}", "meta")
            found = pipeline.execute()
        return {job_id: key_of(raw, field) for job_id, raw in zip(job_ids, found, strict=True)}


def merged(known: dict[str, str | None], read: dict[str, str | None]) -> dict[str, str | None]:
    """What to tell the store: the keys just read, and those of the last claim, because jobs that arrived in between
    make it ask for them only. Nothing was asked: all that was told is indexed by now."""
    if not read:
        return {}
    both = {job_id: key for job_id, key in known.items() if job_id not in read} | read
    return dict(list(both.items())[-REMEMBERED:])


def key_of(raw: bytes | None, field: str) -> str | None:
    """Text as it is, a whole number by its digits; anything else is no key."""
    value = plain_meta(raw).get(field)
    if isinstance(value, str):
        return value[:LONGEST_KEY] if value and _carried(value) else None
    whole = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= LONGEST_NUMBER_BITS
    return str(value) if whole else None


def _carried(value: str) -> bool:
    """Half a surrogate pair is text to Python and to nobody else."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
