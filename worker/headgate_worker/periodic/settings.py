"""What one run was told: parsed once, frozen, passed in. This package's only file that reads the environment."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headgate.errors import InvalidInput
from headgate_worker import settings as worker

TASK = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?")
TICK = re.compile(r"[0-9]{7,9}")
"""Minutes since 1970, as the CronJob controller ends the names of its Jobs with: 7 digits from 1989, 9 until 3871."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """`tick` (ms): for when it was scheduled; None: somebody started it by hand. `run` names it, attempts included."""

    task: str
    run: str
    tick: int | None
    pod: str
    store_url: str
    prefix: str
    log_format: str
    log_level: str


def load(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> RunSettings:
    """Read everything, or raise `InvalidInput` with the name of the variable, its value and what would be right."""
    if len(argv) > 1:
        raise InvalidInput(f"headgate-task takes one task, not {len(argv)}: {' '.join(argv)}")
    task = argv[0] if argv else environ.get("HEADGATE_TASK", "")
    if not TASK.fullmatch(task):
        raise InvalidInput(f"task {task!r}: run `headgate-task NAMESPACE/NAME` or set HEADGATE_TASK")
    pod = environ.get("HEADGATE_POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    job = environ.get("HEADGATE_JOB_NAME") or pod
    # What a run shares with a worker is read by the same rules; the queue's name stands for nothing here.
    common = worker.load(["task"], {**environ, "HEADGATE_QUEUE": ""})
    return RunSettings(
        task=task,
        run=job,
        tick=tick_of(task, job),
        pod=pod,
        store_url=common.store_url,
        prefix=common.prefix,
        log_format=common.log_format,
        log_level=common.log_level,
    )


def tick_of(task: str, job: str) -> int | None:
    """The CronJob `sync` makes Job `sync-29468160`; `kubectl create job --from=cronjob/sync` any other name."""
    start, _, minutes = job.rpartition("-")
    return int(minutes) * 60_000 if start == task.rpartition("/")[2] and TICK.fullmatch(minutes) else None


def child_environment() -> dict[str, str]:
    """What the function's process inherits: all of ours."""
    return dict(os.environ)
