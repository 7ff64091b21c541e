"""The perKey key of jobs whose producer put it into `meta`: read here, without running any code of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headgate_worker.payload import plain_meta

LONGEST_KEY = 256


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
        return {job_id: _key(plain_meta(raw).get(field)) for job_id, raw in zip(job_ids, found, strict=True)}


def _key(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value[:LONGEST_KEY]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
