"""A small world over any bench: producers, pods with slots, an operator, faults. Every answer goes into the history.

Pods behave as the worker does: they renew every five seconds, renew before anything else after the store was away, and
run RQ's failure code for what reaping hands them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.gates.verbs import (
    Beat,
    Claim,
    ClaimAnswer,
    Fate,
    Finish,
    Finished,
    Grant,
    Kept,
    KeysWanted,
    Outcome,
    Owner,
    Reaped,
    SlotBeat,
)  # fmt: skip
from headgate.model.documents import BudgetDocument, QueueDocument
from tests.gates.conformance.bench import Bench
from tests.gates.conformance.fleet import DONE, Running
from tests.gates.conformance.history import Account, Execution, History, promise
from tests.gates.conformance.refusals import judge_refusal

SLOTS = 2
RENEW_MS = 5_000
BUDGET = "ns/shared"
KEYS = (None, "acme", "bolt")


@dataclass
class Pod:
    name: str
    queue: str
    frozen: bool = False
    running: dict[str, Running] = field(default_factory=dict)

    @property
    def slots(self) -> list[str]:
        return [f"{self.name}.{i}" for i in range(SLOTS)]

    @property
    def idle(self) -> list[str]:
        return [slot for slot in self.slots if slot not in self.running]


class World:
    def __init__(self, bench: Bench, weights: Mapping[str, int], pods: int = 3) -> None:
        """`weights`: queue -> places that each of its jobs takes in the budget."""
        self.bench = bench
        self.queues = queues = tuple(weights)
        self.weights = weights
        self.history = History()
        self.pods: list[Pod] = []
        self._count = 0
        self._since_beat = 0
        self._snapshot: object = None
        self.declare(BudgetDocument(name=BUDGET, total=3))
        for queue in queues:
            self.declare_plain(queue)
        for i in range(pods):
            self.add_pod(queues[i % len(queues)])
        self.remember()

    def _next(self, what: str) -> str:
        self._count += 1
        return f"{what}{self._count}"

    # ---- operator and producers ----

    def declare(self, document: QueueDocument | BudgetDocument) -> None:
        self.history.declare(document)
        self._publish(document)

    def declare_plain(self, queue: str) -> None:
        share = {"name": BUDGET, "weight": self.weights[queue]}
        self.declare(QueueDocument(queue=queue, total=2, per_key=1, budgets=[share]))

    def _publish(self, document: QueueDocument | BudgetDocument) -> None:
        self._count += 1
        name = document.queue if isinstance(document, QueueDocument) else document.name
        self.bench.gates("operator").publish(document, Owner(f"ns/{name}", name, self._count))

    def enqueue(self, queue: str, key: str | None, *, at_front: bool) -> None:
        job_id = self._next("job")
        self.bench.enqueue(queue, job_id, key=key, at_front=at_front)
        self.history.jobs[job_id] = Account(queue, key)

    def cancel(self, job_id: str) -> None:
        self.bench.cancel(job_id)

    def reap(self, *, dead: bool, buries: bool = True) -> None:
        self._bury(self.bench.gates("operator").reap(dead=dead), "operator", buries=buries)

    def _bury(self, reaped: Any, caller: str, *, buries: bool = True) -> None:
        for one in reaped:
            self.history.reaped(one.execution)
            if one.fate is not Fate.REQUEUED and buries:
                self._fail(one, caller)

    def _fail(self, reaped: Reaped, caller: str) -> None:
        if self.bench.job(reaped.job_id) is not None:
            self.bench.fail(reaped.job_id)
            self.history.acknowledged(reaped.job_id)
        self.bench.gates(caller).release(reaped.holding)

    # ---- pods ----

    def add_pod(self, queue: str) -> Pod:
        pod = Pod(self._next("pod"), queue)
        self.pods.append(pod)
        self.beat(pod)
        return pod

    def kill(self, pod: Pod) -> None:
        """The whole pod dies; another one comes in its place."""
        for running in pod.running.values():
            self._execution(running).alive = False
        self.pods.remove(pod)
        self.add_pod(pod.queue)

    def thaw(self, pod: Pod, *, beats: bool) -> None:
        pod.frozen = False
        if beats:
            self.beat(pod)

    def beat(self, pod: Pod) -> None:
        gates = self.bench.gates(pod.name)
        holdings = [running.holding for running in pod.running.values()]
        slots = tuple(SlotBeat(slot) for slot in pod.slots)
        renewal = gates.renew(Beat(pod.name, pod.name, pod.queue, 1, slots, holdings))
        for slot, running in list(pod.running.items()):
            execution = self._execution(running)
            if renewal.kept[execution.execution] is Kept.GONE:
                self.history.ended(execution, Finished.GONE, acknowledged=False)
                del pod.running[slot]
            else:
                self.history.renewed(execution)
        self._bury(renewal.reaped, pod.name)

    def claim(self, pod: Pod, slot: str, *, twice: bool = False) -> ClaimAnswer:
        claim = Claim(pod.queue, slot, pod.name, self._next("nonce"), self._next("execution"))
        answer = self.bench.gates(pod.name).claim(claim)
        if twice:
            answer = self._latest(answer, self.bench.gates(pod.name).claim(claim))
        return self._answered(pod, slot, answer)

    def _latest(self, first: ClaimAnswer, second: ClaimAnswer) -> ClaimAnswer:
        """The reply was lost and the call sent again. A grant is the same; what was refused may be open by now."""
        if isinstance(first, Grant):
            promise(isinstance(second, Grant), "I4", f"a repeated claim answers {second}")
            assert isinstance(second, Grant)
            same = (first.job_id, first.fence) == (second.job_id, second.fence)
            promise(same, "I4", f"a repeated claim starts {second.job_id} too")
        return second

    def _answered(self, pod: Pod, slot: str, answer: ClaimAnswer) -> ClaimAnswer:
        if isinstance(answer, Grant):
            self.history.granted(answer, pod.queue, slot)
            pod.running[slot] = Running(pod.queue, slot, answer)
        elif not isinstance(answer, KeysWanted):
            judge_refusal(self.history, self.bench, pod.queue, pod.name, answer)
        return answer

    def finish(self, pod: Pod, slot: str, outcome: Outcome = DONE, *, fused: bool, twice: bool = False) -> None:
        running = pod.running.pop(slot)
        end, gates = running.end(outcome), self.bench.gates(pod.name)
        claim = Claim(pod.queue, slot, pod.name, self._next("nonce"), self._next("execution"))
        if fused:
            finished, answer = gates.finish_claim(end, claim)
            if twice:
                again, repeated = gates.finish_claim(end, claim)
                promise(again is finished, "I4", f"a repeated finish answers {again} after {finished}")
                answer = self._latest(answer, repeated)
            self._ended(running, end, finished)
            self._answered(pod, slot, answer)
        else:
            finished = gates.finish(end)
            if twice:
                again = gates.finish(end)
                promise(again is finished, "I4", f"a repeated finish answers {again} after {finished}")
            self._ended(running, end, finished)
        if finished in (Finished.POISON, Finished.FAILED):
            self._bury_own(running)

    def _ended(self, running: Running, end: Finish, finished: Finished) -> None:
        acknowledged = end.outcome == DONE and finished is Finished.OK
        self.history.ended(self._execution(running), finished, acknowledged=acknowledged)

    def _bury_own(self, running: Running) -> None:
        """A lost job that does not go back: RQ's failure code, then its place is released."""
        self.bench.fail(running.grant.job_id)
        self.history.acknowledged(running.grant.job_id)
        self.bench.gates("operator").release(replace(running.holding, slot="", places=()))

    def fail(self, pod: Pod, slot: str, *, dies: bool = False) -> None:
        """The slow path: seal, RQ's own code, release. `dies`: the pod, between the last two."""
        running = pod.running.pop(slot)
        gates, execution = self.bench.gates(pod.name), self._execution(running)
        if not gates.seal(running.holding):
            self.history.ended(execution, Finished.GONE, acknowledged=False)
            return
        if self.bench.job(running.grant.job_id) is not None:
            self.bench.fail(running.grant.job_id)
        if dies:
            self.history.sealed(execution)
            self.history.acknowledged(execution.job_id)
            pod.running[slot] = running
            self.kill(pod)
            return
        self.history.ended(execution, Finished.OK, acknowledged=True)
        gates.release(running.holding)

    def _execution(self, running: Running) -> Execution:
        return self.history.executions[running.grant.execution]

    # ---- time and faults ----

    def pass_time(self, ms: int) -> None:
        """Pods that are well renew every five seconds of it."""
        while ms > 0:
            step = min(ms, RENEW_MS - self._since_beat)
            self.bench.advance(step)
            self.history.pass_time(step)
            ms -= step
            self._since_beat += step
            if all(pod.frozen for pod in self.pods):
                self.history.last_fault = self.history.passed
            if self._since_beat == RENEW_MS:
                self._since_beat = 0
                self.beat_all()

    def beat_all(self) -> None:
        for pod in list(self.pods):
            if not pod.frozen:
                self.beat(pod)

    def step_back(self, ms: int) -> None:
        """The store's clock is set back; the operator and the pods talk to it before long."""
        self.bench.advance(-ms)
        self.history.last_fault = self.history.passed
        self._since_beat = 0
        self.beat_all()

    def store_away(self, ms: int) -> None:
        """Nobody reaches the store for a while; then everybody renews first."""
        self.bench.advance(ms)
        self.history.pass_time(ms)
        self.history.last_fault = self.history.passed
        self._since_beat = 0
        self.beat_all()

    def remember(self) -> None:
        """What a store that loses its last writes will come up with."""
        self._snapshot = self.bench.snapshot()

    def lose_last_writes(self) -> None:
        """Everybody reconnects: the operator publishes again, the pods renew first."""
        self.bench.restore(self._snapshot)
        known = {job_id for job_id in self.history.jobs if self.bench.job(job_id) is not None}
        self.history.lose_data(known)
        for budget in self.history.budgets.values():
            self._publish(budget)
        for policy in self.history.policies.values():
            self._publish(policy)
        self.beat_all()
