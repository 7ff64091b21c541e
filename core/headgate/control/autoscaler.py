"""Writes workers.replicas by backlog where a policy declares `workers.autoscaling`: through /scale, as others do."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from headgate.control.facts import Facts
from headgate.control.memory import Memory
from headgate.control.ports import POD, QUEUE_POLICY, SCALE_MANAGER, Clock, Cluster, Key, Manifest, Telemetry
from headgate.control.scaling import Need, Stabilization, recommended
from headgate.desired.documents import budget_document, queue_document
from headgate.gates.overrides import in_force
from headgate.gates.verbs import Blocker, QueueState, StoreState
from headgate.model.documents import BudgetDocument, QueueDocument
from headgate.model.queue_policy import Autoscaling
from headgate.names import selector_labels
from headgate.status.capacity import capacity

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
YIELD_SECONDS = 60.0
"""Another writer's number stays for so long before it is written over."""
FIGHT_SECONDS = 600.0
"""And is told in status for so long."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Scaled:
    """One autoscaled policy. `target`: what its replicas should be by the last look at its store; None before one.

    `written`: what we wrote last. `rival`: who wrote something else after that, at `fought_at` (monotonic seconds).
    """

    rules: Autoscaling
    document: QueueDocument
    budgets: dict[str, BudgetDocument]
    replicas: int
    need: Need | None = None
    target: int | None = None
    written: int | None = None
    rival: str = ""
    fought_at: float = float("-inf")
    stabilization: Stabilization = field(default_factory=Stabilization)


class Autoscaler:
    """`look` decides, with each picture of a store; `act` writes, in the reconcile of the policy."""

    def __init__(self, cluster: Cluster, memory: Memory, clock: Clock, telemetry: Telemetry) -> None:
        self._cluster, self._memory, self._clock, self._telemetry = cluster, memory, clock, telemetry
        self._of: dict[Key, Scaled] = {}

    def look(self, key: Key, queue: QueueState, state: StoreState) -> int | None:
        """How many workers the policy should have, None when it is not autoscaled."""
        scaled = self._of.get(key)
        if scaled is None:
            return None
        scaled.need = _need(scaled, queue, state.now)
        wanted, window = recommended(scaled.rules, scaled.need), scaled.rules.scale_down_stabilization_seconds
        scaled.target = scaled.stabilization.settled(scaled.replicas, wanted, self._clock.monotonic(), window)
        return scaled.target

    async def act(self, facts: Facts) -> bool:
        """Write the number if it must be another. True: it was written, and the policy is no longer as it was read."""
        scaled = self._note(facts)
        if scaled is None or scaled.target is None or scaled.need is None or self._yields(scaled):
            return False
        before, after = scaled.replicas, scaled.target
        if after == before:
            return False
        if after < before:
            await self._price_pods(facts)
        await self._cluster.scale(QUEUE_POLICY, facts.manifest, after)
        scaled.replicas = scaled.written = after
        await self._tell(facts, scaled.need, before, after)
        return True

    def rival(self, key: Key) -> str:
        """Who else writes the number, "" when nobody does."""
        scaled = self._of.get(key)
        recent = scaled is not None and self._clock.monotonic() - scaled.fought_at < FIGHT_SECONDS
        return scaled.rival if scaled and recent else ""

    def appointment(self, key: Key) -> float | None:
        """Seconds until something is to be done or said without an event."""
        scaled = self._of.get(key)
        if scaled is None:
            return None
        passed = self._clock.monotonic() - scaled.fought_at
        return next((moment - passed for moment in (YIELD_SECONDS, FIGHT_SECONDS) if passed < moment), None)

    def wanted(self) -> dict[Key, int]:
        """How many workers each autoscaled policy should have, by the last look at its store."""
        return {key: scaled.target for key, scaled in self._of.items() if scaled.target is not None}

    def forget(self, key: Key) -> None:
        self._of.pop(key, None)

    def _note(self, facts: Facts) -> Scaled | None:
        """What the policy says now. One that cannot be read keeps what it said last, and is not scaled."""
        if facts.policy is None or facts.store is None:
            return None
        rules = facts.policy.spec.workers.autoscaling
        if rules is None:
            self.forget(facts.key)
            return None
        document, replicas = queue_document(facts.policy), facts.policy.spec.workers.replicas
        budgets = {name: budget_document(budget) for name, budget in facts.budgets.items() if budget}
        known = self._of.get(facts.key)
        if known is None:
            known = self._of[facts.key] = Scaled(rules, document, budgets, replicas)
        else:
            self._notice_rival(known, facts, replicas)
            known.rules, known.document, known.budgets, known.replicas = rules, document, budgets, replicas
        if known.target is None:
            queue, state = facts.picture.queue(document.queue), facts.picture.state
            if queue and state:
                self.look(facts.key, queue, state)
        return known

    def _notice_rival(self, scaled: Scaled, facts: Facts, replicas: int) -> None:
        if scaled.written in (None, replicas):
            return
        writer = _writer_of_replicas(facts.manifest)
        scaled.written = replicas
        if writer == SCALE_MANAGER:
            return  # our own write, whose answer was lost
        scaled.rival, scaled.fought_at = writer or "another writer", self._clock.monotonic()
        scaled.stabilization = Stabilization()
        log.warning("Replicas written by another", key=str(facts.key), by=scaled.rival, replicas=replicas)

    def _yields(self, scaled: Scaled) -> bool:
        return self._clock.monotonic() - scaled.fought_at < YIELD_SECONDS

    async def _price_pods(self, facts: Facts) -> None:
        """Busy pods cost more to delete, so idle ones go first; set only now, because it changes with every job."""
        queue = facts.picture.queue(facts.policy.queue) if facts.policy else None
        busy = {instance.pod: instance.busy for instance in queue.instances} if queue else {}
        for pod in await self._cluster.list(POD, facts.key.namespace, selector_labels(facts.key.name)):
            metadata = pod["metadata"]
            cost = str(busy.get(metadata["name"], 0))
            if "deletionTimestamp" not in metadata and metadata.get("annotations", {}).get(DELETION_COST, "0") != cost:
                await self._cluster.annotate(POD, facts.key.namespace, metadata["name"], {DELETION_COST: cost})

    async def _tell(self, facts: Facts, need: Need, before: int, after: int) -> None:
        self._telemetry.scaled(facts.key, before, after)
        log.info(
            "Scaled", key=str(facts.key), before=before, after=after,
            waiting=need.waiting, running=need.running,
        )  # fmt: skip
        message = f"Workers from {before} to {after}: {need.waiting} jobs wait, {need.running} run."
        await self._cluster.post_event(
            facts.manifest, reason="ScaledOut" if after > before else "ScaledIn", message=message, type_="Normal"
        )


def _need(scaled: Scaled, queue: QueueState, now_ms: int) -> Need:
    """By the limits in force: an override counts, whoever set it. While the store lets nothing start, nothing waits."""
    override = in_force(scaled.document.override, queue.override, now_ms)
    document = scaled.document.model_copy(update={"override": override})
    waiting = 0 if queue.blocked_by == Blocker.STOP else queue.queued + queue.due
    bound = capacity(document, scaled.rules.max_replicas, scaled.budgets, now_ms).bound
    return Need(queue.running, waiting, document.per_worker, bound)


def _writer_of_replicas(manifest: Manifest) -> str:
    """Who wrote spec.workers.replicas last: a plain write takes the field over, an apply with force too."""
    owners = [
        entry
        for entry in manifest["metadata"].get("managedFields", ())
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}).get("f:workers", {})
    ]
    latest = sorted(owners, key=lambda entry: str(entry.get("time", "")))[-1:]
    return str(latest[0].get("manager", "")) if latest else ""
