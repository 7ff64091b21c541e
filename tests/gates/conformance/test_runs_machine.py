"""Runs of one task under chance: pods that die, clocks that jump, data that is lost. Never two believe they may run.

On the reference alone, and the scripts of a real Valkey in lockstep with it.
"""

from __future__ import annotations

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

from headgate.gates.http import RequestsBeat
from headgate.gates.runs import Begin, Begun, TaskState
from headgate.gates.verbs import LEASE_MS, RENEW_MS, Owner
from headgate.model.documents import TaskDocument
from tests.gates.conformance.model_bench import ModelBench
from tests.gates.conformance.server_bench import ServerBench
from tests.gates.conformance.twin_bench import TwinBench
from tests.stores import StoreServer

TASK = "ns/sync"
MINUTE = 60_000
SCALE = int(os.environ.get("HEADGATE_HYPOTHESIS_EXAMPLES", "1"))


class RunsMachine(RuleBasedStateMachine):
    open_bench: ClassVar[Any] = ModelBench

    def __init__(self) -> None:
        super().__init__()
        self.bench = type(self).open_bench()
        self.door: Any = self.bench.gates("pods")
        self.other: Any = self.bench.gates("other")
        self.eye: Any = self.bench.gates("eye")
        self.generation = 0
        self.believers: dict[tuple[str, int], int] = {}
        """(run, fence) of pods that run -> when they last heard that they may."""
        self.fences: list[int] = []
        self.began: list[int] = []
        self.runs = 0
        self.earlier: Any = None
        self.published = False

    def teardown(self) -> None:
        self.bench.close()

    @initialize(late=st.booleans())
    def declare(self, late: bool) -> None:
        self.publish(late, "None")

    @rule(late=st.booleans(), stop=st.sampled_from(["None", "None", "Hold"]))
    def publish(self, late: bool, stop: str) -> None:
        self.generation += 1
        document = TaskDocument(
            name=TASK,
            schedule="* * * * *",
            function="a.b",
            on_overlap="RunLate" if late else "Skip",
            stop_policy=stop,  # type: ignore[arg-type]
        )
        self.door.publish(document, Owner(TASK, "uid", self.generation))
        self.published = True

    @rule()
    @precondition(lambda self: self.published)
    def unpublish(self) -> None:
        self.door.unpublish("task", TASK, Owner(TASK, "uid", self.generation))
        self.published = False

    @rule(tick=st.sampled_from([None, 0, 0, 1, 2]), again=st.booleans(), pod=st.sampled_from(["a", "b"]))
    def begin(self, tick: int | None, again: bool, pod: str) -> None:
        """`tick` minutes before the last full one; `again`: the run that asked last asks once more, or is retried."""
        if not again or not self.runs:
            self.runs += 1
        due = None if tick is None else self.bench.now // MINUTE * MINUTE - tick * MINUTE
        answer = self.door.begin_run(Begin(TASK, f"run-{self.runs}", pod, due))
        if isinstance(answer, Begun):
            key = (f"run-{self.runs}", answer.fence)
            if answer.fence not in self.fences:
                assert all(answer.fence > fence for fence in self.fences)
                self.fences.append(answer.fence)
            self.believers[key] = self.bench.now

    @rule(data=st.data())
    @precondition(lambda self: self.believers)
    def renew(self, data: st.DataObject) -> None:
        run, fence = data.draw(st.sampled_from(sorted(self.believers)))
        if self.door.renew_run(TASK, run, fence):
            self.believers[run, fence] = self.bench.now
        else:
            del self.believers[run, fence]

    @rule(data=st.data(), outcome=st.sampled_from(["ok", "failed", "deadline"]))
    @precondition(lambda self: self.believers)
    def end(self, data: st.DataObject, outcome: str) -> None:
        run, fence = data.draw(st.sampled_from(sorted(self.believers)))
        del self.believers[run, fence]
        self.door.end_run(TASK, run, fence, outcome)

    @rule(data=st.data())
    @precondition(lambda self: self.believers)
    def die(self, data: st.DataObject) -> None:
        del self.believers[data.draw(st.sampled_from(sorted(self.believers)))]

    @rule(ticks=st.lists(st.integers(0, 5), max_size=4))
    def skip(self, ticks: list[int]) -> None:
        last = self.bench.now // MINUTE * MINUTE
        self.door.skip_ticks(TASK, [last - tick * MINUTE for tick in ticks])

    @rule(ms=st.sampled_from([1, 700, 4_999, MINUTE // 2]), beats=st.booleans())
    def pass_time(self, ms: int, beats: bool) -> None:
        """`beats`: somebody else renews meanwhile. Pods that run renew; one that cannot stops after a lease."""
        while ms > 0:
            step = min(ms, RENEW_MS)
            self.bench.advance(step)
            ms -= step
            if beats:
                self.other.renew_requests(RequestsBeat("api", "api", {}, ()))
                for run, fence in sorted(self.believers):
                    if not self.door.renew_run(TASK, run, fence):
                        del self.believers[run, fence]
                    else:
                        self.believers[run, fence] = self.bench.now
        now = self.bench.now
        self.believers = {key: heard for key, heard in self.believers.items() if heard + LEASE_MS > now}

    @rule()
    def lose_all(self) -> None:
        self.bench.wipe()
        self.published = False

    @rule()
    def keep_copy(self) -> None:
        self.earlier = (self.bench.snapshot(), self.published)

    @rule()
    @precondition(lambda self: self.earlier is not None)
    def lose_newest(self) -> None:
        snapshot, self.published = self.earlier
        self.bench.restore(snapshot)

    @invariant()
    def at_most_one_believes_that_it_may_run(self) -> None:
        assert len(self.believers) <= 1, self.believers

    @invariant()
    def it_looks_consistent(self) -> None:
        tasks: dict[str, TaskState] = self.eye.inspect_tasks()
        assert set(tasks) == ({TASK} if self.published else set())
        for state in tasks.values():
            assert state.skipped >= 0
            assert state.last_success <= state.last_ended


def test_a_run_never_overlaps_another_on_the_reference() -> None:
    run_state_machine_as_test(
        RunsMachine, settings=settings(max_examples=100 * SCALE, stateful_step_count=40, deadline=None)
    )


@pytest.mark.store
def test_the_scripts_answer_as_the_reference_does(valkey_server: StoreServer) -> None:
    client = redis.Redis.from_url(valkey_server.url)

    class Lockstep(RunsMachine):
        @staticmethod
        def open_bench() -> TwinBench:  # type: ignore[override]
            client.flushall()
            return TwinBench(ModelBench(), ServerBench(valkey_server.url))

    run_state_machine_as_test(
        Lockstep,
        settings=settings(
            max_examples=40 * SCALE, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    client.close()
