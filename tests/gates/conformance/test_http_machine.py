"""A Hypothesis state machine over requests, edits, faults and time: on the reference, and scripts in lockstep.

What must hold is judged by a history of its own: no window above its limit, nothing taken by a refusal.
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

from headgate.gates.http import Allowed, StaleRules
from tests.gates.conformance.bench import Bench
from tests.gates.conformance.crowd import Asked, Crowd, per
from tests.gates.conformance.http_history import HttpHistory
from tests.gates.conformance.model_bench import ModelBench
from tests.gates.conformance.server_bench import ServerBench
from tests.gates.conformance.twin_bench import TwinBench

SCALE = int(os.environ.get("HEADGATE_HYPOTHESIS_EXAMPLES", "1"))
PEOPLE = ("ann", "bob")
APIS = ("api-1", "api-2")

GENERAL = st.fixed_dictionaries(
    {
        "rate": st.sampled_from([per(3, 1_000), per(5, 2_500), per(260, 1_000), None]),
        "in_flight": st.sampled_from([None, 2]),
        "cost": st.sampled_from([1, 2]),
        "mode": st.sampled_from(["Enforce", "Enforce", "Shadow"]),
        "key": st.sampled_from(["ClientIP", "Global"]),
    }
)
AUTH = st.fixed_dictionaries(
    {
        "rate": st.sampled_from([per(2, 2_000), per(3, 5_000)]),
        "count": st.sampled_from(["Failures", "Failures", "All"]),
        "mode": st.sampled_from(["Enforce", "Enforce", "Shadow"]),
    }
)
SHARED = st.fixed_dictionaries(
    {"budgets": st.sampled_from([[{"name": "ns/db"}], [{"name": "ns/db", "weight": 2}], [{"name": "ns/none"}]])}
)


class HttpMachine(RuleBasedStateMachine):
    open_bench: ClassVar[Any] = ModelBench

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench = type(self).open_bench()
        self.crowd = Crowd(self.bench)
        self.history = HttpHistory()
        self.running: list[Asked] = []
        self.ended: list[Asked] = []

    @initialize(general=GENERAL, auth=AUTH, shared=SHARED)
    def begin(self, general: dict[str, Any], auth: dict[str, Any], shared: dict[str, Any]) -> None:
        self.crowd.budget(total=2, rate=per(9, 3_000), http_reserved=1)
        self.publish(general, auth, shared)

    @rule(general=GENERAL, auth=AUTH, shared=SHARED)
    def publish(self, general: dict[str, Any], auth: dict[str, Any], shared: dict[str, Any]) -> None:
        self._publish({"general": general, "auth": auth, "shared": shared})

    def _publish(self, rules: dict[str, dict[str, Any]]) -> None:
        self.crowd.policy(**rules)
        self.history.publish(rules)

    def _ask(self, who: str, rules: list[str] | None, api: str = "api-1") -> Asked:
        asked = self.crowd.ask(who, rules, api)
        self.history.asked(asked)
        return asked

    def _end(self, *asked: Asked, failed: bool) -> None:
        for one in asked:
            self.history.ended(one, failed=failed)
        self.crowd.end(*asked, failed=failed)

    @rule(total=st.sampled_from([1, 2, 4]), rate=st.sampled_from([None, per(3, 1_500)]))
    def set_budget(self, total: int, rate: Any) -> None:
        self.crowd.budget(total=total, rate=rate)

    @rule(
        who=st.sampled_from([*PEOPLE, "-"]),
        rules=st.sampled_from([None, ["general"], ["general", "auth"], ["auth"], ["shared"], ["general", "shared"]]),
        times=st.integers(1, 4),
        api=st.sampled_from(APIS),
    )
    def ask(self, who: str, rules: list[str] | None, times: int, api: str) -> None:
        for _ in range(times):
            asked = self._ask(who, rules, api)
            assert not isinstance(asked.answer, StaleRules)
            if isinstance(asked.answer, Allowed):
                self.running.append(asked)
            else:  # the first that is asked after an edit may bring starts into another form
                self.crowd.refused(who, rules=rules, api=api)

    @rule(who=st.sampled_from(PEOPLE), times=st.integers(1, 3), at_once=st.booleans())
    def guess(self, who: str, times: int, at_once: bool) -> None:
        """Wrong passwords, one after the other or all at once."""
        asked = []
        for _ in range(times):
            one = self._ask(who, ["auth"])
            if isinstance(one.answer, Allowed):
                asked.append(one)
                if not at_once:
                    self._end(one, failed=True)
        if at_once and asked:
            self._end(*asked, failed=True)
        self.ended += asked

    @rule(who=st.sampled_from([*PEOPLE, "-"]))
    def flood(self, who: str) -> None:
        """As many as a rule in buckets or in a ring lets through."""
        self.running += [
            one for one in (self._ask(who, ["general"]) for _ in range(140)) if isinstance(one.answer, Allowed)
        ]

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failed=st.booleans(), twice=st.booleans())
    def end(self, data: st.DataObject, failed: bool, twice: bool) -> None:
        one = self.running.pop(data.draw(st.integers(0, len(self.running) - 1), label="request"))
        self._end(one, failed=failed)
        if twice:
            assert self.crowd.end(one, failed=not failed) == 0
        self.ended.append(one)

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), failed=st.booleans())
    def end_again(self, data: st.DataObject, failed: bool) -> None:
        assert self.crowd.end(data.draw(st.sampled_from(self.ended[-5:]), label="request"), failed=failed) == 0

    @rule(api=st.sampled_from(APIS), forgets=st.booleans())
    def beat(self, api: str, forgets: bool) -> None:
        mine = [one for one in self.running if one.admit.instance == api]
        self.crowd.beat(api, *mine[: len(mine) // 2 if forgets else None])

    @rule()
    def say_goodbye(self) -> None:
        self.crowd.beat("api-2", surfaces={})

    @rule(ms=st.sampled_from([0.001, 0.4, 1, 333, 500, 999.999, 1_000, 2_500, 5_000, 20_000, 61_000, 900_000]))
    def advance(self, ms: float) -> None:
        self.bench.advance(ms)

    @rule(ms=st.sampled_from([0.4, 300, 5_000]))
    def step_back(self, ms: float) -> None:
        self.bench.advance(-ms)

    @rule(ms=st.sampled_from([40_000, 3_600_000]))
    def step_far_back(self, ms: float) -> None:
        self.bench.advance(-ms)
        self.history.forget()

    @rule(
        who=st.sampled_from(PEOPLE), rules=st.sampled_from([None, ["general"], ["shared"]]), api=st.sampled_from(APIS)
    )
    def forget_one(self, who: str, rules: list[str] | None, api: str) -> None:
        """A request is let through, and the store loses that write."""
        before = self.bench.snapshot()
        asked = self.crowd.ask(who, rules, api)
        self.bench.restore(before)
        if isinstance(asked.answer, Allowed):
            self.running.append(asked)

    @rule()
    def lose_the_store(self) -> None:
        self.bench.wipe()
        self.running.clear()
        self.crowd.budget(total=2)
        self.history.forget()
        self._publish({"general": {"rate": per(3, 1_000)}, "auth": {"rate": per(2, 2_000)}, "shared": {"in_flight": 1}})

    @invariant()
    def a_budget_is_never_overdrawn(self) -> None:
        """No jobs and one total since the last edit: more only when it was lowered."""
        held = [end for end in self.bench.budget_holders("ns/db").values() if end > self.bench.now]
        assert len(held) <= 4

    @invariant()
    def both_see_the_same(self) -> None:
        self.bench.budget_holders("ns/db")
        self.bench.budget_http_holders("ns/db")
        self.crowd.door("operator").inspect_http()

    def teardown(self) -> None:
        self.bench.close()


def run(machine: type[HttpMachine], examples: int, steps: int) -> None:
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


def test_no_window_is_overfull_on_the_reference() -> None:
    run(HttpMachine, examples=60, steps=50)


@pytest.mark.store
def test_the_scripts_admit_what_the_reference_admits(store_url: str) -> None:
    def twins() -> Bench:
        with redis.Redis.from_url(store_url) as client:
            client.flushall()
        return TwinBench(ModelBench(), ServerBench(store_url))

    class Lockstep(HttpMachine):
        open_bench = staticmethod(twins)

    run(Lockstep, examples=20, steps=40)
