"""A Hypothesis state machine over producers, pods, limits, faults and time: on the reference, and scripts in lockstep.

`HEADGATE_HYPOTHESIS_EXAMPLES` multiplies the examples of a run (default 1).
"""

import os
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from headgate.gates.verbs import Deferred, Lost, Outcome, Returned
from headgate.model.documents import BudgetDocument, QueueDocument
from tests.gates.conformance.bench import Bench
from tests.gates.conformance.fleet import DONE
from tests.gates.conformance.invariants import judge_end, judge_step
from tests.gates.conformance.model_bench import ModelBench
from tests.gates.conformance.server_bench import ServerBench
from tests.gates.conformance.twin_bench import TwinBench
from tests.gates.conformance.world import BUDGET, KEYS, Pod, World
from tests.stores import StoreServer

SCALE = int(os.environ.get("HEADGATE_HYPOTHESIS_EXAMPLES", "1"))
WEIGHTS = {"red": 1, "blue": 2}
QUEUES = tuple(WEIGHTS)
OUTCOMES: list[Outcome] = [DONE, DONE, Returned(), Lost(), Deferred("queue", 700), Deferred("key", 700)]
RATES = [None, {"limit": 1, "period_ms": 400}, {"limit": 3, "period_ms": 1_000}, {"limit": 3, "period_ms": 6_000}]


LIMITS = st.fixed_dictionaries(
    {
        "total": st.sampled_from([2, None, 1, 3]),
        "per_key": st.sampled_from([1, None, 2]),
        "rate_total": st.sampled_from(RATES),
        "rate_per_key": st.sampled_from([None, {"limit": 2, "period_ms": 2_000}]),
        "rate_per_worker": st.just({"limit": 4, "period_ms": 1_000}),
        "shares": st.sampled_from(["plain", "none", "other"]),
        "stop_policy": st.sampled_from(["None", "None", "None", "Hold"]),
        "jobs": st.fixed_dictionaries(
            {"on_worker_lost": st.sampled_from(["Requeue", "Fail"]), "max_losses": st.sampled_from([3, 1])}
        ),
    }
)


class GatesMachine(RuleBasedStateMachine):
    open_bench: ClassVar[Any] = ModelBench
    other_weights: ClassVar[dict[str, int]] = {"red": 2, "blue": 1}

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench = type(self).open_bench()
        self.world = World(self.bench, WEIGHTS)

    def _pod(self, data: st.DataObject, pods: list[Pod]) -> Pod:
        named = {pod.name: pod for pod in pods}
        return named[data.draw(st.sampled_from(sorted(named)), label="pod")]

    @property
    def awake(self) -> list[Pod]:
        return [pod for pod in self.world.pods if not pod.frozen]

    @property
    def idle(self) -> list[Pod]:
        return [pod for pod in self.awake if pod.idle]

    @property
    def busy(self) -> list[Pod]:
        return [pod for pod in self.awake if pod.running]

    # ---- producers and the operator ----

    @initialize(red=LIMITS, blue=LIMITS)
    def begin_busy(self, red: dict[str, Any], blue: dict[str, Any]) -> None:
        for queue, limits in (("red", red), ("blue", blue)):
            self.set_limits(queue, limits)
            for key in (*KEYS, *KEYS):
                self.world.enqueue(queue, key, at_front=False)
        self.claim_everywhere()

    @rule(queue=st.sampled_from(QUEUES), key=st.sampled_from(KEYS), at_front=st.booleans(), count=st.integers(1, 4))
    def enqueue(self, queue: str, key: str | None, at_front: bool, count: int) -> None:
        for _ in range(count):
            self.world.enqueue(queue, key, at_front=at_front)

    @precondition(lambda self: any(self.bench.queue(queue) for queue in QUEUES))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        waiting = [job_id for queue in QUEUES for job_id in self.bench.queue(queue)]
        self.world.cancel(data.draw(st.sampled_from(waiting), label="job"))

    @rule(queue=st.sampled_from(QUEUES), limits=LIMITS)
    def set_limits(self, queue: str, limits: dict[str, Any]) -> None:
        shares, others = limits["shares"], {name: limits[name] for name in limits if name != "shares"}
        weight = self.other_weights[queue] if shares == "other" else self.world.weights[queue]
        budgets = [] if shares == "none" else [{"name": BUDGET, "weight": weight}]
        self.world.declare(QueueDocument(queue=queue, budgets=budgets, **others))

    @rule(total=st.sampled_from([None, 2, 3]), rate=st.sampled_from([*RATES[:1], {"limit": 3, "period_ms": 1_500}]))
    def set_budget(self, total: int | None, rate: Any) -> None:
        self.world.declare(BudgetDocument(name=BUDGET, total=total, rate=rate))

    @rule(dead=st.booleans(), buries=st.booleans())
    def reap(self, dead: bool, buries: bool) -> None:
        self.world.reap(dead=dead, buries=buries)

    # ---- pods ----

    @precondition(lambda self: self.idle)
    @rule(data=st.data(), twice=st.booleans())
    def claim(self, data: st.DataObject, twice: bool) -> None:
        pod = self._pod(data, self.idle)
        self.world.claim(pod, pod.idle[0], twice=twice)

    @rule()
    def claim_everywhere(self) -> None:
        for pod in self.idle:
            for slot in pod.idle:
                self.world.claim(pod, slot)

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES), fused=st.booleans(), twice=st.booleans())
    def finish(self, data: st.DataObject, outcome: Outcome, fused: bool, twice: bool) -> None:
        pod = self._pod(data, self.busy)
        slot = data.draw(st.sampled_from(sorted(pod.running)), label="slot")
        self.world.finish(pod, slot, outcome, fused=fused, twice=twice)

    @rule(outcome=st.sampled_from(OUTCOMES), fused=st.booleans(), ms=st.sampled_from([0, 100, 1_000, 5_000]))
    def work(self, outcome: Outcome, fused: bool, ms: int) -> None:
        """Every pod that is well ends one job and takes another, a while apart."""
        for pod in self.awake:
            for slot in sorted(pod.running)[:1]:
                self.world.finish(pod, slot, outcome, fused=fused)
                self.world.pass_time(ms)
        self.claim_everywhere()

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), dies=st.booleans())
    def fail(self, data: st.DataObject, dies: bool) -> None:
        pod = self._pod(data, self.busy)
        self.world.fail(pod, sorted(pod.running)[0], dies=dies)

    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        self.world.kill(self._pod(data, self.world.pods))

    @precondition(lambda self: self.awake)
    @rule(data=st.data())
    def freeze(self, data: st.DataObject) -> None:
        self._pod(data, self.awake).frozen = True

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), ms=st.sampled_from([20_000, 16_000, 26_000]), beats=st.booleans())
    def oversleep(self, data: st.DataObject, ms: int, beats: bool) -> None:
        """A pod that runs something is away for about a lease, and the others go on."""
        pod = self._pod(data, self.busy)
        pod.frozen = True
        self.world.pass_time(ms)
        self.claim_everywhere()
        self.world.thaw(pod, beats=beats)

    @precondition(lambda self: len(self.awake) < len(self.world.pods))
    @rule(data=st.data(), beats=st.booleans())
    def thaw(self, data: st.DataObject, beats: bool) -> None:
        """It may end a job before it notices that it was away."""
        self.world.thaw(self._pod(data, [pod for pod in self.world.pods if pod.frozen]), beats=beats)

    # ---- time and faults ----

    @rule(ms=st.sampled_from([1, 100, 333, 500, 1_000, 2_500, 5_000, 15_000, 20_000, 61_000]))
    def pass_time(self, ms: int) -> None:
        self.world.pass_time(ms)

    @rule(ms=st.sampled_from([3_000, 12_000, 21_000]))
    def store_away(self, ms: int) -> None:
        self.world.store_away(ms)

    @precondition(lambda self: not self.world.history.recent_fault())
    @rule(ms=st.sampled_from([50, 3_000, 19_000, 30_000, 3_600_000]))
    def step_back(self, ms: int) -> None:
        self.world.step_back(ms)

    @rule()
    def remember(self) -> None:
        self.world.remember()

    @rule()
    def lose_last_writes(self) -> None:
        self.world.lose_last_writes()

    # ---- what must hold ----

    @invariant()
    def promises_hold(self) -> None:
        judge_step(self.world)

    def teardown(self) -> None:
        try:
            judge_end(self.world)
        finally:
            self.bench.close()


def run(machine: type[GatesMachine], examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * SCALE,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=checks,
            derandomize=SCALE == 1,
            database=None,
            report_multiple_bugs=False,
        ),
    )


def test_promises_hold_on_the_reference_whatever_happens() -> None:
    run(GatesMachine, examples=60, steps=50)


@pytest.mark.store
def test_the_scripts_do_what_the_reference_does_whatever_happens(valkey_server: StoreServer) -> None:
    def twins() -> Bench:
        with redis.Redis.from_url(valkey_server.url) as client:
            client.flushall()
        return TwinBench(ModelBench(), ServerBench(valkey_server.url))

    class Lockstep(GatesMachine):
        open_bench = staticmethod(twins)
        # Within a call the scripts count a place twice that is reserved again for another weight: never too few.
        other_weights = WEIGHTS

    run(Lockstep, examples=12, steps=40)
