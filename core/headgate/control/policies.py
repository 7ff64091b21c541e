"""Reconcile of one QueuePolicy: read, decide, apply, status. Idempotent: a second run writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.control.applying import Children, Live
from headgate.control.autoscaler import Autoscaler
from headgate.control.decision import Decision, decide
from headgate.control.facts import Facts, Gatherer
from headgate.control.memory import Memory
from headgate.control.policy_view import Seen, bounds_of, view_of
from headgate.control.ports import DEPLOYMENT, POD, QUEUE_POLICY, Clock, Cluster, Key, Manifest
from headgate.control.publishing import Answer, Publisher
from headgate.control.reading import is_leaving
from headgate.control.stores import Site
from headgate.control.ties import Ties
from headgate.control.writing import StatusWriter
from headgate.desired.children import CHILD_KINDS, Child
from headgate.errors import Rejected
from headgate.names import selector_labels, worker_name
from headgate.status import reasons
from headgate.status.conditions import Verdict
from headgate.status.queue_policy import status, verdicts

LEAVING_SECONDS = 2.0
"""How soon to look again after a child of a deleted policy that garbage collection has not taken yet."""
OVERRIDE_SLACK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about one policy: the decision as it ended, the store's answer, the children as they are now."""

    decision: Decision
    answer: Answer
    live: Live


class Policies:
    def __init__(
        self,
        cluster: Cluster,
        site: Site,
        memory: Memory,
        gatherer: Gatherer,
        publisher: Publisher,
        children: Children,
        writer: StatusWriter,
        clock: Clock,
        ties: Ties,
        autoscaler: Autoscaler,
    ) -> None:
        self._autoscaler = autoscaler
        self._cluster, self._site, self._memory, self._clock, self._ties = cluster, site, memory, clock, ties
        self._gatherer, self._publisher, self._children, self._writer = gatherer, publisher, children, writer

    async def reconcile(self, key: Key) -> float | None:
        """Seconds until it should run again without an event, None when no time is known."""
        manifest = await self._cluster.get(QUEUE_POLICY, key.namespace, key.name)
        if manifest is None or is_leaving(manifest):
            await self._gone(key)
            return None
        facts = await self._gatherer.facts(key, manifest)
        done = await self._act(facts, decide(facts, self._site))
        self._tell_others(facts, done)
        if done.decision.document and not done.answer.error and await self._autoscaler.act(facts):
            return 0.0
        wait = await self._write_status(facts, done)
        if done.answer.error:
            raise done.answer.error
        times = (wait, self._autoscaler.appointment(key), *_appointments(facts, done))
        return min(filter(None, times), default=None)

    async def _act(self, facts: Facts, decision: Decision) -> Done:
        """Publish before pods are made, so that no worker ever starts without its limits."""
        untouchable = (*facts.foreign, *facts.leaving)
        wanted = [child for child in decision.children or () if child.kind not in untouchable]
        try:
            await self._children.rehearse(wanted, facts.children)
        except Rejected as error:
            return Done(_template_invalid(error), Answer(), facts.children)
        answer = await self._publisher.follow(facts, decision.document, withdraw=decision.withdraw)
        if answer.by:
            decision, wanted = Decision(Verdict(reasons.QUEUE_CONFLICT, answer.problem), children=()), []
        if decision.children is None:
            return Done(decision, answer, facts.children)
        try:
            return Done(decision, answer, await self._realize(wanted, facts))
        except Rejected as error:
            return Done(_template_invalid(error), answer, facts.children)

    async def _realize(self, wanted: list[Child], facts: Facts) -> Live:
        live = await self._children.apply(wanted, facts.children)
        await self._children.prune(wanted, facts.children, facts.metadata)
        kinds = {child.kind for child in wanted}
        return {kind: child for kind, child in live.items() if kind in kinds}

    def _tell_others(self, facts: Facts, done: Done) -> None:
        if facts.policy:
            self._ties.note(facts.key, bounds_of(facts, done.decision, self._memory))
        if done.answer.news:
            self._ties.tell_rivals(facts.key)

    async def _write_status(self, facts: Facts, done: Done) -> float | None:
        view = view_of(facts, done.decision, done.answer, await self._seen(facts, done), self._memory)
        judged = verdicts(view)
        return await self._writer.write(facts.key, facts.manifest, status(view, judged, self._clock.now()), judged)

    async def _seen(self, facts: Facts, done: Done) -> Seen:
        deployment = done.live.get(DEPLOYMENT)
        pods: list[Manifest] | None = None
        if deployment and _more_renew_than_are_ready(facts, deployment):
            pods = await self._cluster.list(POD, facts.key.namespace, selector_labels(facts.key.name))
        return Seen(
            deployment,
            pods,
            self._children.fighting(done.live),
            self._autoscaler.rival(facts.key),
            self._clock.monotonic(),
        )

    async def _gone(self, key: Key) -> None:
        """Garbage collection takes the children."""
        await self._ties.dissolve(key)
        self._autoscaler.forget(key)
        for kind in CHILD_KINDS:
            self._memory.forget_child((kind, key.namespace, worker_name(key.name)))


def _template_invalid(error: Rejected) -> Decision:
    return Decision(Verdict(reasons.TEMPLATE_INVALID, str(error)))


def _appointments(facts: Facts, done: Done) -> list[float]:
    times = [LEAVING_SECONDS] if facts.leaving else []
    override = done.decision.document.override if done.decision.document else None
    if override and override.expire_ms > facts.now_ms:
        times.append((override.expire_ms - facts.now_ms) / 1000 + OVERRIDE_SLACK_SECONDS)
    return times


def _more_renew_than_are_ready(facts: Facts, deployment: Manifest) -> bool:
    """Then some of them are stopped and finish their jobs: only a list of the pods tells which.

    Otherwise the numbers suffice. A LIST for every policy would be a square of their number.
    """
    queue = facts.picture.queue(facts.policy.queue) if facts.policy else None
    renewing = len({instance.pod for instance in queue.instances}) if queue else 0
    return renewing > int(deployment.get("status", {}).get("readyReplicas", 0))
