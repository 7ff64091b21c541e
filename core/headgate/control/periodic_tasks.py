"""Reconcile of one PeriodicTask: publish, CronJob, skipped ticks, status. Idempotent: a second run writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from headgate.control.applying import Children
from headgate.control.memory import Memory
from headgate.control.ownership import standing
from headgate.control.pictures import Pictures
from headgate.control.ports import CRON_JOB, PERIODIC_TASK, QUEUE_POLICY, Clock, Cluster, Key, Manifest, Store
from headgate.control.publishing import Answer, Publisher
from headgate.control.reading import is_leaving, metadata_of, read_as
from headgate.control.skips import next_look, skipped
from headgate.control.stores import Site
from headgate.control.task_decision import TaskDecision, TaskFacts, decide_task
from headgate.control.writing import StatusWriter
from headgate.errors import Rejected, StoreUnavailable
from headgate.gates.runs import TaskState
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate.names import TASK_LABEL
from headgate.status import reasons
from headgate.status.conditions import Verdict
from headgate.status.enforcement import Publication
from headgate.status.periodic_task import TaskView, rfc3339, task_status, task_verdicts

LEAVING_SECONDS = 2.0
EVENT = "RunSkipped"


class PeriodicTasks:
    """Its one child is a CronJob of the same name."""

    def __init__(
        self,
        cluster: Cluster,
        stores: Mapping[str, Store],
        site: Site,
        memory: Memory,
        pictures: Pictures,
        publisher: Publisher,
        children: Children,
        writer: StatusWriter,
        clock: Clock,
    ) -> None:
        self._cluster, self._stores, self._site, self._memory = cluster, stores, site, memory
        self._pictures, self._publisher, self._children = pictures, publisher, children
        self._writer, self._clock = writer, clock

    async def reconcile(self, key: Key) -> float | None:
        """Seconds until it should run again without an event, None when no time is known."""
        manifest = await self._cluster.get(PERIODIC_TASK, key.namespace, key.name)
        if manifest is None or is_leaving(manifest):
            await self._publisher.withdraw(key)
            self._memory.forget(key)
            self._memory.forget_child((CRON_JOB, key.namespace, key.name))
            return None
        facts = await self._facts(key, manifest)
        decision, answer, cron_job = await self._act(facts, decide_task(facts, self._site))
        state = self._state(facts)
        await self._count(facts, decision, cron_job, state)
        wait = await self._write_status(facts, decision, answer, cron_job, state)
        if answer.error:
            raise answer.error
        look = next_look(decision.document, state, cron_job, self._now()) if decision.document and cron_job else None
        leaving = LEAVING_SECONDS if facts.leaving else None
        return min(filter(None, (wait, look, leaving)), default=None)

    async def _facts(self, key: Key, manifest: Manifest) -> TaskFacts:
        task, mistakes = read_as(PeriodicTask, manifest)
        policy = None
        if task:
            self._memory.note_task(key, task)
            policy = await self._policy(key.namespace, task)
        found = await self._cluster.get(CRON_JOB, key.namespace, key.name)
        whose = standing(found, metadata_of(manifest), kind="PeriodicTask", label=TASK_LABEL) if found else "ours"
        return TaskFacts(
            key=key,
            manifest=manifest,
            task=task,
            mistakes=mistakes,
            policy=policy,
            store=self._site.store(task.spec.store, key.namespace) if task else None,
            cron_job=found if whose in ("ours", "adoptable") else None,
            foreign=whose == "foreign",
            leaving=whose == "leaving",
        )

    async def _policy(self, namespace: str, task: PeriodicTask) -> QueuePolicy | None:
        ref = task.spec.queue_policy_ref
        manifest = await self._cluster.get(QUEUE_POLICY, namespace, ref.name) if ref else None
        return None if manifest is None or is_leaving(manifest) else read_as(QueuePolicy, manifest)[0]

    async def _act(self, facts: TaskFacts, decision: TaskDecision) -> tuple[TaskDecision, Answer, Manifest | None]:
        """Publish before there is a CronJob: a run that the store does not know does not start."""
        document, child, task = decision.document, decision.child, facts.task
        if document is None or child is None or task is None:
            return decision, Answer(), facts.cron_job
        live = {CRON_JOB: facts.cron_job} if facts.cron_job else {}
        free = not facts.foreign and not facts.leaving
        try:
            if free:
                await self._children.rehearse([child], live)
            answer = await self._publisher.publish(facts.key, task.metadata, task.spec.store, document)
            if not answer.held or not free:
                return decision, answer, facts.cron_job
            return decision, answer, (await self._children.apply([child], live))[CRON_JOB]
        except Rejected as error:
            return TaskDecision(Verdict(reasons.TEMPLATE_INVALID, str(error))), Answer(), facts.cron_job

    def _state(self, facts: TaskFacts) -> TaskState | None:
        store = self._memory.tasks.get(facts.key, ("", None))[0]
        return self._pictures[store].tasks.get(facts.key.full_name)

    async def _count(
        self, facts: TaskFacts, decision: TaskDecision, cron_job: Manifest | None, state: TaskState | None
    ) -> None:
        """Tell the store of ticks that were skipped; its answer shows in the next picture, and in status then."""
        if decision.document is None or cron_job is None or facts.task is None:
            return
        known = set(state.skipped_ticks) if state else set()
        ticks = [tick for tick in skipped(decision.document, state, cron_job, self._now()) if tick not in known]
        store = self._stores.get(facts.task.spec.store)
        if not ticks or store is None:
            return
        try:
            if await store.skip_ticks(facts.key.full_name, ticks):
                self._pictures.hurry(facts.task.spec.store)
        except StoreUnavailable:
            self._pictures.hurry(facts.task.spec.store)  # the run will still be known when the store is back

    async def _write_status(
        self,
        facts: TaskFacts,
        decision: TaskDecision,
        answer: Answer,
        cron_job: Manifest | None,
        state: TaskState | None,
    ) -> float | None:
        picture = self._pictures[self._memory.tasks.get(facts.key, ("", None))[0]]
        reachable = picture.reachable(self._clock.monotonic()) or not facts.store
        view = TaskView(
            generation=metadata_of(facts.manifest).generation,
            before=facts.manifest.get("status", {}),
            accepted=decision.accepted,
            publication=Publication(answer.revision, answer.held, reachable, answer.problem or picture.problem),
            held=bool(facts.task and facts.task.spec.stop_policy == "Hold"),
            cron_job=cron_job,
            foreign=facts.foreign,
            state=state,
        )
        judged = task_verdicts(view)
        status = task_status(view, judged, self._clock.now())
        wait = await self._writer.write(facts.key, facts.manifest, status, judged)
        await self._announce(facts, state, view.before.get("skipped", 0))
        return wait

    async def _announce(self, facts: TaskFacts, state: TaskState | None, before: int) -> None:
        """One Event for each tick that the status did not count before."""
        new = state.skipped - before if state else 0
        if state is None or new <= 0:
            return
        for tick in state.skipped_ticks[-new:]:
            holder = f" ({state.running} runs)" if state.running else ""
            await self._cluster.post_event(
                facts.manifest,
                reason=EVENT,
                message=f"Already running, skipping the run of {rfc3339(tick)}{holder}.",
                type_="Normal",
            )

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._clock.now())
