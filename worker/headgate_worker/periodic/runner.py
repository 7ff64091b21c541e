"""One run from its question at the gate to its end: it holds a lease, so it never overlaps another."""

from __future__ import annotations

import time
from typing import Literal

from headgate.errors import InvalidInput, StoreFull, StoreUnavailable
from headgate.gates import client
from headgate.gates.door import Door
from headgate.gates.runs import Begin, Begun, NoTask, Passed, Running, TaskHeld
from headgate.gates.verbs import LEASE_MS, RENEW_MS
from headgate_worker import logs
from headgate_worker.periodic.settings import RunSettings
from headgate_worker.periodic.stopping import Stopping
from headgate_worker.periodic.work import Work

SKIPPED = "already running, skipping"
"""The words that people grep for."""
RENEW_SECONDS = RENEW_MS / 1000
ALONE_SECONDS = LEASE_MS / 1000 - 5.0
"""Without the store for so long, a run stops itself: its lease ends 5 s later, and another may begin."""
STOP_SECONDS = 4.0
"""Between SIGTERM and SIGKILL when the lease is lost."""
GRACE_SECONDS = 20.0
"""The same when it took too long, or when the pod is told to stop."""
STORE_PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 1.0
Outcome = Literal["ok", "failed", "deadline"]


class Runner:
    """`run` answers the exit code."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._door = Door(settings.store_url, settings.prefix)
        self._stopping = Stopping()
        self._log = logs.get(task=settings.task, run=settings.run)

    def run(self) -> int:
        begun = self._begin()
        if isinstance(begun, int):
            return begun
        began = time.monotonic()
        self._log.info(
            "Periodic run", step="start", function=begun.document.function, fence=begun.fence, tick=self._tick
        )
        try:
            outcome, why = self._work(begun)
        except Exception as error:  # whatever it is, the lease must not wait for its end
            self._log.exception("the run broke")
            outcome, why = "failed", type(error).__name__
        noted = self._end(begun.fence, outcome)
        self._log.info(
            "Periodic run", step="end", seconds=round(time.monotonic() - began, 3), outcome=outcome, reason=why or None,
            lease=None if noted else "lost",
        )  # fmt: skip
        return 0 if outcome == "ok" else 1

    # ---- begin ----

    def _begin(self) -> Begun | int:
        """The lease, or the exit code with which this run does not take place."""
        settings, patience = self._settings, time.monotonic() + STORE_PATIENCE_SECONDS
        waits = client.backoff()
        while not self._stopping.asked:
            try:
                answer = self._door.begin_run(Begin(settings.task, settings.run, settings.pod, settings.tick))
            except (StoreUnavailable, StoreFull) as error:
                if time.monotonic() > patience:
                    raise
                self._log.warning("the store does not answer, trying again", error=str(error))
                self._stopping.sleep(next(waits))
                continue
            if isinstance(answer, Begun):
                return answer
            exit_code = self._not_begun(answer)
            if exit_code is not None:
                return exit_code
            self._stopping.sleep(LOOK_SECONDS)
        return 1

    def _not_begun(self, answer: Running | Passed | NoTask | TaskHeld) -> int | None:
        """None: ask again in a moment."""
        if isinstance(answer, NoTask):
            self._log.error("this task is not published in the store: nothing runs")
            return 1
        if isinstance(answer, TaskHeld):
            if answer.until:
                self._log.info("the store lost data or its clock, waiting", until=answer.until)
                return None
            self._log.info("held by stopPolicy, nothing runs", tick=self._tick)
            return 0
        if isinstance(answer, Passed):
            self._log.info(SKIPPED, tick=self._tick, reason="another run ended after this tick, or it ran already")
            return 0
        if answer.run == self._settings.run:
            self._log.info("an earlier attempt of this run may be alive, waiting for its lease", pod=answer.pod)
            return None
        self._log.info(SKIPPED, tick=self._tick, holder=answer.run, pod=answer.pod, since=_iso(answer.since))
        return 0

    # ---- work ----

    def _work(self, begun: Begun) -> tuple[Outcome, str]:
        deadline = time.monotonic() + begun.document.deadline_seconds
        renewed = time.monotonic()
        try:
            work = self._start(begun)
        except (InvalidInput, StoreUnavailable, StoreFull) as error:
            self._log.error(str(error))
            return "failed", "not started"
        while True:
            done = work.poll(min(LOOK_SECONDS, max(0.05, deadline - time.monotonic())))
            now = time.monotonic()
            if done is not None:
                return ("ok" if done else "failed"), work.failure
            if now >= deadline:
                why = f"more than {begun.document.deadline_seconds} s"
                return self._stopped(work, begun.fence, GRACE_SECONDS, "deadline", why)
            if self._stopping.asked:
                return self._stopped(work, begun.fence, GRACE_SECONDS, "failed", "told to stop")
            if now - renewed >= RENEW_SECONDS:
                kept = self._renew(begun.fence)
                renewed = now if kept else renewed
                if kept is False or now - renewed > ALONE_SECONDS:
                    return self._stopped(work, begun.fence, STOP_SECONDS, "failed", "lease lost")

    def _start(self, begun: Begun) -> Work:
        if begun.document.type == "Enqueue":
            from headgate_worker.periodic.job_work import JobWork

            return JobWork(begun.document, begun.fence, self._door, self._settings.store_url)
        from headgate_worker.periodic.function_work import FunctionWork

        return FunctionWork(begun.document)

    def _stopped(self, work: Work, fence: int, grace: float, outcome: Outcome, why: str) -> tuple[Outcome, str]:
        """Nothing of it runs afterwards, and nobody else began meanwhile: the lease outlives the grace."""
        self._log.warning("Periodic run is stopped", reason=why)
        work.stop()
        end = time.monotonic() + grace
        beat = time.monotonic() + RENEW_SECONDS
        while work.poll(0.1) is None and time.monotonic() < end:
            if grace == GRACE_SECONDS and time.monotonic() >= beat:
                beat += RENEW_SECONDS
                self._renew(fence)
        work.kill()
        return outcome, why

    def _renew(self, fence: int) -> bool | None:
        """None: the store does not answer."""
        try:
            return self._door.renew_run(self._settings.task, self._settings.run, fence)
        except StoreUnavailable as error:
            self._log.warning("the store does not answer, trying again", error=str(error))
            return None

    def _end(self, fence: int, outcome: Outcome) -> bool:
        patience = time.monotonic() + GRACE_SECONDS
        for wait in client.backoff():
            try:
                return self._door.end_run(self._settings.task, self._settings.run, fence, outcome)
            except StoreUnavailable as error:
                if time.monotonic() > patience:
                    self._log.error("the end could not be noted, its lease lapses", error=str(error))
                    break
                time.sleep(wait)
        return False

    @property
    def _tick(self) -> str | None:
        return None if self._settings.tick is None else _iso(self._settings.tick)


def _iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms // 1000))
