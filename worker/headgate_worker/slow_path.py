"""Everything but a plain success: seal the execution, let RQ's own code end the job, release its places.

Used by slots for their own jobs and by the clerk for the jobs of slots that died.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

from rq.job import Job

from headgate.errors import StoreUnavailable
from headgate.gates.client import UNREACHABLE
from headgate.gates.verbs import Holding
from headgate_worker import logs
from headgate_worker.access import Access
from headgate_worker.rq_worker import RqWorker

Act = Callable[[RqWorker, Job], None]
MOST_TRIES = 3
"""For an ending that the store takes without error but does not apply."""


class SlowPath:
    """`wait` blocks until the store answers again (and this worker's leases are renewed)."""

    def __init__(self, access: Access, wait: Callable[[Exception], None]) -> None:
        self._access = access
        self._wait = wait

    def conclude(
        self, worker: Callable[[], RqWorker], job: Job, holding: Holding, act: Act, *, sealed: bool = False
    ) -> bool:
        """End `job` by `act`. False when its lease was lost: then nothing was written and somebody else has the job.

        `worker` gives RQ's worker with the client in use; `sealed`: the store protects the execution already (`reap`,
        `Lost`).
        """
        tries, certain = 0, True
        while True:
            try:
                if not sealed and not self._access.door.seal(holding):
                    return False
                if certain or self._unended(holding):
                    tries += 1
                    self._act(worker(), copy.copy(job), holding, act)
                    if self._unended(holding) and tries < MOST_TRIES:
                        continue
                self._access.door.release(holding)
                return True
            except (StoreUnavailable, *UNREACHABLE) as error:
                certain = False
                self._wait(error)

    def patiently(self, call: Callable[[], Any]) -> Any:
        """The answer of one idempotent command to the store, however long that takes."""
        while True:
            try:
                return call()
            except UNREACHABLE as error:
                self._wait(error)

    def _act(self, worker: RqWorker, job: Job, holding: Holding, act: Act) -> None:
        job.connection = self._access.connect()
        try:
            act(worker, job)
        except UNREACHABLE:
            raise
        except BaseException as error:
            logs.get().exception("RQ's code could not end a job, it fails", id=job.id)
            with contextlib.suppress(Exception):
                worker.fail_without_callback(job, holding.execution, f"its ending failed: {error!r}")

    def _unended(self, holding: Holding) -> bool:
        """Whether RQ's record of the execution is still there: its code deletes it in the step that ends a job."""
        key = self._access.door.keys.execution(holding.job_id, holding.execution)
        return bool(self._access.connect().exists(key))
