"""Loaded with `-p` before RQ's tests are imported: puts our classes in place of RQ's, and marks the exclusions."""

import os
from fnmatch import fnmatch
from pathlib import Path

import gated_worker
import pytest
import rq
import rq.worker
import rq.worker.worker_classes
import rq.worker_pool

EXCLUSIONS = Path(__file__).with_name("exclusions.txt")


def _replace() -> None:
    for name in ("Worker", "SimpleWorker"):
        ours = getattr(gated_worker, name)
        for module in (rq, rq.worker, rq.worker.worker_classes):
            setattr(module, name, ours)
    rq.worker_pool.Worker = gated_worker.Worker
    defaults = rq.worker_pool.WorkerPool.__init__.__defaults__ or ()
    swapped = {rq.worker.worker_classes.Worker.__mro__[2]: gated_worker.Worker}
    rq.worker_pool.WorkerPool.__init__.__defaults__ = tuple(
        swapped.get(value, value) if isinstance(value, type) else value for value in defaults
    )


def exclusions() -> list[tuple[str, str]]:
    """(glob over node ids, reason) of each line `glob | reason`."""
    lines = [line for line in EXCLUSIONS.read_text().splitlines() if line and not line.startswith("#")]
    return [(glob.strip(), reason.strip()) for glob, _, reason in (line.partition("|") for line in lines)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    strict = os.environ.get("HEADGATE_CONFORMANCE_ALL") is None
    for item in items:
        for glob, reason in exclusions():
            if strict and fnmatch(item.nodeid, glob):
                item.add_marker(pytest.mark.skip(reason=f"excluded: {reason}"))


_replace()
