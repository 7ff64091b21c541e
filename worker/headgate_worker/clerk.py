"""The clerk: a child of the template that does RQ's work for which no slot is at hand.

It ends the jobs of slots that died (their callbacks are user code, so the supervisor must not), promotes due jobs, and
runs RQ's registry maintenance. If a callback kills it, the supervisor starts another and the task is tried again
without callbacks.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable
from dataclasses import replace

from rq.job import Job

from headgate.errors import StoreUnavailable
from headgate.gates import client
from headgate.gates.verbs import Finish, Finished, Holding, Lost
from headgate.model.documents import QueueDocument
from headgate_worker import logs
from headgate_worker.access import Access
from headgate_worker.channel import Channel, Message
from headgate_worker.due_jobs import DueJobs
from headgate_worker.lazy_job import build
from headgate_worker.maintenance import maintain
from headgate_worker.payload import Refused
from headgate_worker.rq_worker import RqWorker
from headgate_worker.rules import Rules, rules_of
from headgate_worker.settings import Settings
from headgate_worker.slow_path import SlowPath


class Clerk:
    """Tasks come over the channel: `{"id", "do": "end" | "maintain", ...}`; each is answered `{"t": "done", "id"}`."""

    def __init__(self, settings: Settings, instance: str, channel: Channel) -> None:
        self._settings = settings
        self._instance = instance
        self._channel = channel
        self._access = Access(settings)
        self._slow = SlowPath(self._access, self._pause)
        self._waits = client.backoff()
        self._due = DueJobs(settings.queue, self._access.connect, instance)
        self._known: Rules | None = None

    def work(self) -> None:
        """Until the supervisor closes the channel. Due jobs are looked at when each second begins."""
        look_at = time.monotonic()
        while not self._channel.closed:
            ready, _, _ = select.select([self._channel], [], [], max(0.0, look_at - time.monotonic()))
            for task in self._channel.receive() if ready else ():
                self._do(task)
            if time.monotonic() >= look_at:
                self._promote()
                look_at = time.monotonic() + self._due.seconds_to_next(time.time())
        with contextlib.suppress(Exception):
            self._due.release()

    def _promote(self) -> None:
        try:
            self._due.tick(self._rules().serializer)
            self._waits = client.backoff()
        except (StoreUnavailable, *client.UNREACHABLE) as error:
            self._pause(error)
        except Exception:
            logs.get().exception("due jobs could not be promoted, trying again")

    def _do(self, task: Message) -> None:
        try:
            if task["do"] == "policy":
                self._known = None
            elif task["do"] == "end":
                self._end(task)
            else:
                maintain(self._access.door, self._access.connect(), self._settings, self._instance, self._rules())
        except (StoreUnavailable, *client.UNREACHABLE) as error:
            self._channel.send({"t": "again", "id": task["id"], "why": str(error)})
            self._access.refresh()
            return
        except Exception:
            logs.get().exception("the clerk could not finish a task", task=task["do"], id=task.get("job_id"))
        self._channel.send({"t": "done", "id": task["id"]})

    def _end(self, task: Message) -> None:
        """End the job of a slot that is gone, unless it ended or was deleted meanwhile."""
        holding = Holding(
            self._settings.queue, task["slot"], task["job_id"], task["execution"], task["fence"], tuple(task["places"])
        )
        raw: dict[bytes, bytes] = self._access.connect().hgetall(self._access.door.keys.job(holding.job_id))
        if not raw or raw.get(b"status") != b"started":
            self._access.door.release(holding)
            return
        if task["how"] == "recover" and not self._still_lost(task, holding):
            return
        rules = self._rules()
        queue, hosts = self._settings.queue, self._settings.webhook_hosts

        def worker() -> RqWorker:
            return RqWorker(queue, task["worker"], self._access.connect(), rules.serializer, hosts)

        job = self._job(holding.job_id, raw, task["worker"], rules)
        act = self._act(task, rules, raw)
        if task["sealed"]:
            holding = replace(holding, slot="", fence=0, places=())
        self._slow.conclude(worker, job, holding, act, sealed=task["sealed"])

    def _still_lost(self, task: Message, holding: Holding) -> bool:
        """A slot died while RQ's code ended its job. It did not end: the policy decides, as for any lost process."""
        finish = Finish(
            holding.queue, holding.slot, holding.job_id, holding.execution, holding.fence, Lost(), holding.places
        )
        finished = self._access.door.finish(finish)
        task["how"] = "bury" if finished is Finished.POISON else "fail"
        task["sealed"] = True
        return finished in (Finished.FAILED, Finished.POISON)

    def _job(self, job_id: str, raw: dict[bytes, bytes], worker: str, rules: Rules) -> Job:
        try:
            return build(job_id, raw, worker, self._access.connect(), rules.serializer)
        except Exception:
            bare = {field: value for field, value in raw.items() if field in (b"data", b"origin", b"description")}
            return build(job_id, bare, worker, self._access.connect(), rules.serializer)

    def _act(self, task: Message, rules: Rules, raw: dict[bytes, bytes]) -> Callable[[RqWorker, Job], None]:
        how, execution, reason = task["how"], task["execution"], task["reason"]
        try:
            rules.functions.check_callbacks(raw)
        except Refused as refusal:
            how, reason = "bury", f"{reason} ({refusal})"
        if how == "bury":
            return lambda worker, job: worker.bury(job, execution, reason)
        if how == "stop" and task["tries"] == 0:
            return lambda worker, job: worker.stop(job, execution)
        if how == "stop":
            return lambda worker, job: worker.stop_without_callback(job, execution)
        if how == "abandon" and task["tries"] == 0:
            return lambda worker, job: worker.abandon(job, execution, reason)
        return lambda worker, job: worker.fail_without_callback(job, execution, reason)

    def _rules(self) -> Rules:
        """As published; read again when the supervisor says so."""
        if self._known is None:
            found = self._access.door.read_document(self._settings.queue)
            revision, document = found or (0, QueueDocument(queue=self._settings.queue))
            self._known = rules_of(revision, document, self._settings.payload_limit)
        return self._known

    def _pause(self, _error: Exception) -> None:
        time.sleep(next(self._waits))
        self._access.refresh()
