"""One granted job, from its stored hash to what is told to the gates: the code that runs for every job.

A plain success becomes a `Finish`, which goes to the store together with the next claim. Everything else is ended here
by RQ's own code and answers None.
"""

from __future__ import annotations

import asyncio
import sys
import time
from base64 import b64encode
from bisect import bisect_left
from typing import Any, cast

from rq.defaults import DEFAULT_RESULT_TTL, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.exceptions import DeserializationError
from rq.job import Retry, _current_job
from rq.timeouts import JobTimeoutException

from headgate.gates.verbs import Deferred, Done, Finish, Grant, Outcome
from headgate_worker import job_api
from headgate_worker.cells import SECONDS_BUCKETS, Cell, Phase, Word
from headgate_worker.clock import Readings, Stamps
from headgate_worker.endings import BOUNCES, Endings
from headgate_worker.lazy_job import LazyJob, is_built, was_changed
from headgate_worker.logs import JobLines
from headgate_worker.payload import Refused
from headgate_worker.rq_worker import ExcInfo
from headgate_worker.rules import Rules
from headgate_worker.runs import Run
from headgate_worker.settings import show_job_id
from headgate_worker.timeouts import SECOND, Alarm

_GRANTED, _WAITS, _WAIT_US, _WAIT_BUCKETS = (
    int(Word.GRANTED),
    int(Word.WAITS),
    int(Word.WAIT_US),
    int(Word.WAIT_BUCKETS),
)
_JOB_US, _JOB_BUCKETS = int(Word.JOB_US), int(Word.JOB_BUCKETS)
_CALLBACK, _REPEATS, _RATE_LIMIT, _WEBHOOKS = b"success_callback_name", b"repeats_left", b"rate_limit_key", b"webhooks"
"""Fields of a job's hash. Non-empty, each makes even a success RQ's own business."""
_BOUNCES = BOUNCES.encode()
_UNSERIALIZABLE = UNSERIALIZABLE_RETURN_VALUE_PAYLOAD


class FastPath:
    """Runs jobs in the main thread of a slot. `last` is the run whose `Finish` is on its way."""

    def __init__(self, queue: str, slot: str, cell: Cell, lines: JobLines, endings: Endings, connect: Any) -> None:
        self._queue = queue
        self._slot = slot
        self._cell = cell
        self._lines = lines
        self._endings = endings
        self._connect = connect
        self._alarm = Alarm()
        self._stamps = Stamps()
        self._readings = Readings()
        self.last: Run | None = None

    def run(self, grant: Grant, rules: Rules) -> Finish | None:
        """Run it. What `finish` must be told, None when RQ's own code ended it."""
        run = Run.of_grant(grant)
        run.rules = rules
        ended = self.go(run)
        return self.finish_of(run) if type(ended) is Run else cast("Finish | None", ended)

    def go(self, run: Run) -> Run | Finish | None:
        """As `run`, but a plain success comes back as it is, with its result, for `Cycle` or `finish_of`."""
        self.last = run
        run.job = LazyJob(run, self._slot, self._connect, run.rules.serializer)
        run.began, run.began_ns = time.time(), time.monotonic_ns()
        self._count_wait(run)
        exc_info = self._call(run)
        return self._returned(run) if exc_info is None else self._raised(run, exc_info)

    def finish_of(self, run: Run) -> Finish:
        """A plain success for `finish`."""
        changes = {BOUNCES: b"0"} if run.known.get(_BOUNCES) else {}
        began, ended = self.stamps(run)
        return self._finish(run, Done(run.result, run.result_ttl, began[0].decode(), ended[0].decode(), changes))

    def stamps(self, run: Run) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """When it began and ended, as `Stamps.pair`."""
        pair = self._stamps.pair
        return pair(run.began), pair(run.ended)

    def _raised(self, run: Run, exc_info: ExcInfo) -> Finish | None:
        error = exc_info[1]
        self._alarm.silence()
        if isinstance(error, Refused):
            self._endings.refused(run, error)
            return None
        self._count_run(run, time.time())
        if isinstance(error, job_api.RateLimited) and not self._endings.bounced_too_often(run):
            return self._finish(run, Deferred(error.scope, int(error.retry_after * 1000)))
        self._endings.failed(run, exc_info)
        return None

    def _call(self, run: Run) -> ExcInfo | None:
        """Read the payload and call the function: both run the job's code. What it raised, None when it returned."""
        exc_info = None
        token = _current_job.set(run.job)
        job_api.set_fence(run.fence)
        try:
            function, args, kwargs = self._prepare(run)
            if self._lines.enabled:
                self._lines.start(run.job_id.decode(), run.function)
            value = function(*args, **kwargs)
            if value is not None:
                run.value = asyncio.run(value) if asyncio.iscoroutine(value) else value
        except BaseException:
            exc_info = sys.exc_info()
        finally:
            self._alarm.disarm()
            _current_job.reset(token)
            job_api.set_fence(0)
        return exc_info

    def idle(self) -> None:
        """Before the slot waits: no alarm of an earlier job may ring."""
        self._alarm.silence()

    def slowly(self) -> None:
        """The store says that the last success is not plain after all (dependents came meanwhile)."""
        if self.last is not None:
            self._endings.succeeded(self.last)

    def _prepare(self, run: Run) -> tuple[Any, Any, Any]:
        """Publish what runs, then read the payload: reading may already run code, so the timeout counts from here."""
        rules, raw = run.rules, run.known
        blob = run.record()
        if blob is None:
            self._cell.clear(Phase.ASKING)
            raise Refused("PayloadTooLarge", "the job's id and key take more than 7 KB")
        timeout, soft, hard = rules.times.of(raw.get(b"timeout"))
        began = run.began_ns
        self._cell.hold(blob, began, began + soft, began + hard)
        self._alarm.arm(timeout, began)
        if not run.plain:
            rules.functions.check_callbacks(raw)
        try:
            name, instance, args, kwargs = rules.read(raw)
        except (Refused, JobTimeoutException):
            raise
        except Exception as error:
            raise DeserializationError from error
        if name is None:
            raise ValueError("Cannot execute job: function is None")
        run.function = name
        self._cell.name(name.encode("utf-8", "replace"))
        show_job_id(run.job_id)
        return (getattr(instance, name) if instance else rules.functions.get(name)), args, kwargs

    def _returned(self, run: Run) -> Run | None:
        run.ended = time.time()
        self._count_run(run, run.ended)
        get = run.known.get
        ttl = get(b"result_ttl")
        run.result_ttl = result_ttl = int(ttl) if ttl else DEFAULT_RESULT_TTL
        special = not run.plain and (get(_CALLBACK) or get(_REPEATS) or get(_RATE_LIMIT) or get(_WEBHOOKS))
        if special or result_ttl == 0 or isinstance(run.value, Retry) or (is_built(run.job) and was_changed(run.job)):
            self._alarm.silence()
            self._endings.succeeded(run)
            return None
        run.result = self._result(run)
        return run

    def _result(self, run: Run) -> bytes:
        """As `rq.results.Result.serialize`: nothing for None, a fixed text for what cannot be serialised."""
        if run.value is None:
            return b""
        dumps = run.rules.serializer.dumps
        try:
            data = dumps(run.value)
        except Exception:
            data = dumps(_UNSERIALIZABLE)
        return b64encode(data)

    def _finish(self, run: Run, outcome: Outcome) -> Finish:
        grant = run.grant
        return Finish(self._queue, self._slot, grant.job_id, grant.execution, grant.fence, outcome, grant.places)

    def _count_wait(self, run: Run) -> None:
        words = self._cell.words
        words[_GRANTED] += 1
        enqueued = run.known.get(b"enqueued_at")
        since = self._readings.of(enqueued) if enqueued else None
        if since is not None:
            waited = max(0.0, run.began - since)
            words[_WAITS] += 1
            words[_WAIT_US] += int(waited * 1e6)
            words[_WAIT_BUCKETS + bisect_left(SECONDS_BUCKETS, waited)] += 1

    def _count_run(self, run: Run, ended: float) -> None:
        run.seconds = seconds = (time.monotonic_ns() - run.began_ns) / SECOND
        words = self._cell.words
        words[_JOB_US] += int(seconds * 1e6)
        words[_JOB_BUCKETS + bisect_left(SECONDS_BUCKETS, seconds)] += 1
