"""Say when a job's code starts and ends, for a recorder that trusts nobody's own account.

Does nothing unless TASKFORCE_RECORD names a file. Then each start and end is one line, appended by one `write`:

    S|E <CLOCK_MONOTONIC_RAW in ns> <pid> <job id> <queue> <key or -> <- at the start; ok, failed or limited at the end>
"""

import functools
import os
import time
from collections.abc import Callable
from typing import Any

import rq

from headgate_worker import RateLimited

KEY_FIELD = "tenant"
"""The field of `job.meta` that names whose job it is; the policies' key.metaField."""

_path = os.environ.get("TASKFORCE_RECORD")
_file = os.open(_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if _path else None


def recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a job's function; without a recorder it is the function itself."""
    if _file is None:
        return function

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        job = rq.get_current_job()
        who = f"{job.id} {job.origin} {job.meta.get(KEY_FIELD) or '-'}"
        write("S", who)
        outcome = "failed"
        try:
            result = function(*args, **kwargs)
            outcome = "ok"
        except RateLimited:
            outcome = "limited"
            raise
        finally:
            write("E", who, outcome)
        return result

    return wrapper


def write(kind: str, who: str, outcome: str = "-") -> None:
    """One line, if there is a recorder. `who` is job, queue and key with one space between them."""
    if _file is not None:
        line = f"{kind} {time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)} {os.getpid()} {who} {outcome}\n"
        os.write(_file, line.encode())
