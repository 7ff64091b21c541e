"""Runs of periodic tasks on the reference, on Valkey and on Redis: one at a time, each tick settled once."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.gates.runs import Begin, BeginAnswer, Begun, NoTask, Passed, Running, TaskHeld, TaskState
from headgate.gates.verbs import LEASE_MS, Owner, Published, Same
from headgate.model.documents import TaskDocument
from tests.gates.conformance.bench import Bench

MINUTE = 60_000
TASK = "ns/sync"
OWNER = Owner(TASK, "uid-1", 1, "east")


class Clockwork:
    """A task whose ticks are counted from the bench's start; `door` may be another caller's."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.first = bench, bench.now
        self.door: Any = bench.gates("operator")

    def publish(self, owner: Owner = OWNER, **spec: Any) -> Any:
        return self.door.publish(
            TaskDocument(name=TASK, schedule="* * * * *", function="app.sync", kwargs={"a": [1, None]}, **spec), owner
        )

    def tick(self, minute: int) -> int:
        return self.first + minute * MINUTE

    def at(self, minute: float) -> None:
        self.bench.advance(self.first + minute * MINUTE - self.bench.now)

    def begin(self, run: str, minute: int | None = None, pod: str = "pod") -> BeginAnswer:
        answer: BeginAnswer = self.door.begin_run(Begin(TASK, run, pod, None if minute is None else self.tick(minute)))
        return answer

    def begun(self, run: str, minute: int | None = None, pod: str = "pod") -> int:
        answer = self.begin(run, minute, pod)
        assert isinstance(answer, Begun), answer
        return answer.fence

    def run_for(self, run: str, fence: int, until: float) -> None:
        """Renewed every 5 s, as the runner does."""
        while self.bench.now + 5_000 <= self.tick(0) + until * MINUTE:
            self.bench.advance(5_000)
            assert self.door.renew_run(TASK, run, fence)

    def state(self) -> TaskState:
        found: TaskState = self.door.inspect_tasks()[TASK]
        return found

    def own_keys(self) -> set[str]:
        return {name for name in self.bench.own_keys() if "tasks" in name or ":t:" in name or "owners" in name}


@pytest.fixture
def task(bench: Bench) -> Clockwork:
    found = Clockwork(bench)
    found.publish()
    return found


def test_a_run_gets_its_document_and_a_fence_that_grows(task: Clockwork) -> None:
    answer = task.begin("a", 0)
    assert isinstance(answer, Begun)
    assert (answer.document.function, answer.document.kwargs) == ("app.sync", {"a": [1, None]})
    assert task.door.end_run(TASK, "a", answer.fence, "ok")
    task.at(1)
    assert task.begun("b", 1) > answer.fence
    assert (task.state().running, task.state().last_outcome, task.state().skipped) == ("b", "ok", 0)


def test_the_same_run_in_the_same_pod_gets_the_same_answer(task: Clockwork) -> None:
    """A reply that was lost is asked for again."""
    assert task.begin("a", 0) == task.begin("a", 0)


def test_a_manual_run_and_a_scheduled_one_never_overlap(task: Clockwork) -> None:
    task.begun("a", 0, pod="pod-a")
    assert task.begin("by-hand") == Running("a", "pod-a", task.bench.now)
    assert task.state().skipped == 0, "nobody scheduled it"


def test_a_tick_that_meets_a_run_is_counted_once_whoever_tells(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    task.run_for("a", fence, until=1)
    assert isinstance(task.begin("b", 1), Running)
    assert isinstance(task.begin("b", 1), Running)
    assert task.door.skip_ticks(TASK, [task.tick(1)]) == 0
    assert task.door.skip_ticks(TASK, [task.tick(2), task.tick(3), task.tick(2)]) == 2
    state = task.state()
    assert (state.skipped, state.skips_in_a_row, state.last_skipped_tick) == (3, 3, task.tick(3))
    assert state.skipped_ticks == (task.tick(1), task.tick(2), task.tick(3))


def test_a_tick_older_than_the_end_of_the_last_run_has_passed(task: Clockwork) -> None:
    """Forbid alone would start it late: 150 s of work on a one-minute schedule."""
    fence = task.begun("a", 0)
    task.run_for("a", fence, until=2.5)
    assert task.door.end_run(TASK, "a", fence, "ok")
    assert task.begin("b", 2) == Passed(task.tick(2))
    assert task.begin("b", 2) == Passed(task.tick(2))
    assert task.state().skipped == 1
    task.at(3)
    task.begun("c", 3)


def test_run_late_runs_one_missed_tick_when_the_current_run_ends(bench: Bench) -> None:
    task = Clockwork(bench)
    task.publish(on_overlap="RunLate")
    fence = task.begun("a", 0)
    task.run_for("a", fence, until=2.5)
    assert task.door.skip_ticks(TASK, [task.tick(1), task.tick(2)]) == 2
    task.door.end_run(TASK, "a", fence, "ok")
    late = task.begun("b", 2)
    assert task.state().skipped == 1, "the one that ran late was not skipped"
    task.door.end_run(TASK, "b", late, "ok")
    assert task.begin("c", 2) == Passed(task.tick(2))
    assert task.begin("c", 1) == Passed(task.tick(1))


def test_a_failed_run_may_be_tried_again_and_one_that_succeeded_may_not(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    task.bench.advance(1_000)
    task.door.end_run(TASK, "a", fence, "failed")
    again = task.begun("a", 0, pod="pod-2")
    assert again > fence
    task.door.end_run(TASK, "a", again, "ok")
    assert task.begin("a", 0, pod="pod-3") == Passed(task.tick(0))
    assert task.state().skipped == 0, "its tick did run"


def test_a_second_attempt_waits_for_the_lease_of_the_first(task: Clockwork) -> None:
    """Its pod may only be cut off. The run itself is the holder, so its tick is not skipped."""
    task.begun("a", 0, pod="pod-1")
    assert task.begin("a", 0, pod="pod-2") == Running("a", "pod-1", task.bench.now)
    assert task.state().skipped == 0


def test_a_lost_run_is_over_when_its_lease_is(task: Clockwork) -> None:
    other: Any = task.bench.gates("worker")
    lost = task.begun("a", 0)
    keep_beating(task.bench, other, LEASE_MS - 1)
    assert isinstance(task.begin("b"), Running)
    keep_beating(task.bench, other, 1)
    fence = task.begun("b")
    assert fence > lost
    state = task.state()
    assert (state.running, state.last_outcome, state.last_ended) == ("b", "lost", task.first + LEASE_MS)
    assert not task.door.renew_run(TASK, "a", lost), "stop"
    assert not task.door.end_run(TASK, "a", lost, "ok")
    assert task.state().running == "b"


def test_a_late_beat_keeps_what_nobody_took(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    keep_beating(task.bench, task.bench.gates("worker"), LEASE_MS + 5_000)
    assert task.door.renew_run(TASK, "a", fence)
    assert isinstance(task.begin("b"), Running)


def test_an_end_may_be_told_twice(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    task.bench.advance(2_000)
    assert task.door.end_run(TASK, "a", fence, "deadline")
    task.bench.advance(2_000)
    assert task.door.end_run(TASK, "a", fence, "deadline")
    state = task.state()
    assert (state.last_outcome, state.last_ended - state.last_started, state.last_success) == ("deadline", 2_000, 0)
    assert not task.door.end_run(TASK, "a", fence + 1, "ok")


def test_hold_starts_nothing_and_lets_run_what_runs(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    task.publish(Owner(TASK, "uid-1", 2, "east"), stop_policy="Hold")
    assert task.door.renew_run(TASK, "a", fence)
    assert task.begin("b") == TaskHeld(0)
    assert task.door.end_run(TASK, "a", fence, "ok")


def test_what_is_not_published_does_not_start(bench: Bench) -> None:
    assert Clockwork(bench).begin("a") == NoTask()
    assert Clockwork(bench).door.skip_ticks(TASK, [1]) == 0


def test_cycles_with_skips_are_counted_and_end_with_one_without(task: Clockwork) -> None:
    for minute in (0, 2, 4):
        task.at(minute)
        fence = task.begun(f"r{minute}", minute)
        task.door.skip_ticks(TASK, [task.tick(minute + 1)])
        task.door.end_run(TASK, f"r{minute}", fence, "ok")
    task.at(6)
    fence = task.begun("r6", 6)
    assert (task.state().cycles_with_skips, task.state().skips_in_a_row) == (3, 0)
    task.door.end_run(TASK, "r6", fence, "ok")
    task.at(7)
    task.begun("r7", 7)
    assert task.state().cycles_with_skips == 0


def test_only_the_newest_128_ticks_are_known(task: Clockwork) -> None:
    assert task.door.skip_ticks(TASK, [task.tick(i) for i in range(130)]) == 130
    assert task.door.skip_ticks(TASK, [task.tick(i) for i in range(130)]) == 0
    assert len(task.state().skipped_ticks) == 32
    assert task.state().skipped == 130


def test_publish_again_is_the_same_and_a_change_leaves_the_run_alone(task: Clockwork) -> None:
    assert task.publish() == Same(1)
    fence = task.begun("a", 0)
    assert task.publish(Owner(TASK, "uid-1", 2, "east"), deadline_seconds=5) == Published(2)
    assert task.door.renew_run(TASK, "a", fence)
    assert task.state().revision == 2


def test_nothing_is_left_of_a_task_that_nobody_runs(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    task.door.skip_ticks(TASK, [task.tick(1)])
    task.door.end_run(TASK, "a", fence, "ok")
    assert task.own_keys()
    assert task.door.unpublish("task", TASK, OWNER)
    assert task.own_keys() == set()
    assert task.door.inspect_tasks() == {}


def test_a_run_outlives_its_declaration_and_does_not_overlap_the_next(task: Clockwork) -> None:
    """Deleted and declared anew while it runs: another object, the same work."""
    fence = task.begun("a", 0)
    assert task.door.unpublish("task", TASK, OWNER)
    assert task.begin("b") == NoTask()
    task.bench.advance(5_000)
    assert task.door.renew_run(TASK, "a", fence)
    task.bench.advance(LEASE_MS - 1)
    task.publish(Owner(TASK, "uid-2", 1, "east"))
    assert isinstance(task.begin("b"), Running)
    assert task.door.end_run(TASK, "a", fence, "ok")
    assert task.begun("b") > fence


@pytest.mark.parametrize("ends", [True, False])
def test_nothing_is_left_when_the_last_run_of_a_removed_task_ends_or_is_lost(task: Clockwork, ends: bool) -> None:
    fence = task.begun("a", 0)
    task.door.unpublish("task", TASK, OWNER)
    if ends:
        assert task.door.end_run(TASK, "a", fence, "ok")
    else:
        task.bench.advance(LEASE_MS)
        assert task.begin("b") == NoTask()
    assert task.own_keys() == set()


# ---- faults ----


def test_after_data_was_lost_a_run_says_again_that_it_runs(task: Clockwork) -> None:
    fence = task.begun("a", 0)
    task.bench.wipe()
    task.publish()
    held = task.begin("b")
    assert held == TaskHeld(task.bench.now + LEASE_MS)
    task.bench.advance(5_000)
    assert task.door.renew_run(TASK, "a", fence)
    task.run_for("a", fence, until=1)
    assert isinstance(task.begin("b"), Running)
    assert task.door.end_run(TASK, "a", fence, "ok")
    assert task.begun("b") > fence


def test_older_data_does_not_bring_an_ended_run_back(task: Clockwork) -> None:
    first = task.begun("a", 0)
    older = task.bench.snapshot()
    task.door.end_run(TASK, "a", first, "ok")
    task.at(1)
    second = task.begun("b", 1)
    task.bench.restore(older)
    assert task.door.renew_run(TASK, "b", second)
    assert not task.door.renew_run(TASK, "a", first)
    assert task.state().running == "b"


def test_a_run_that_was_cut_off_with_everybody_keeps_its_lease(task: Clockwork) -> None:
    """The store stood still for a minute: the next tick must not begin before the run could renew."""
    fence = task.begun("a", 0)
    task.at(1)
    assert isinstance(task.begin("b", 1), TaskHeld)
    assert task.door.renew_run(TASK, "a", fence)
    task.run_for("a", fence, until=1.5)
    assert isinstance(task.begin("b", 1), Running)


def test_a_lost_run_holds_the_store_for_one_lease_and_no_longer(task: Clockwork) -> None:
    """Alone in its store, nobody can tell its loss from a store that stood still."""
    task.begun("a", 0)
    task.at(10)
    held = task.begin("b", 10)
    assert held == TaskHeld(task.bench.now + LEASE_MS)
    task.bench.advance(LEASE_MS)
    task.begun("b", 10)
    assert task.state().last_outcome == "lost"


def test_a_clock_that_was_ahead_does_not_make_ticks_pass(task: Clockwork) -> None:
    task.at(60)
    fence = task.begun("a", 60)
    task.door.end_run(TASK, "a", fence, "ok")
    task.at(1)
    assert isinstance(task.begin("b", 61), TaskHeld)
    task.bench.advance(LEASE_MS)
    assert isinstance(task.begin("b", 61), Begun)


def keep_beating(bench: Bench, door: Any, ms: int) -> None:
    """Time goes by, and some worker or API process renews: the store did not stand still."""
    from headgate.gates.http import RequestsBeat

    while ms > 0:
        step = min(ms, 5_000)
        bench.advance(step)
        door.renew_requests(RequestsBeat("api-1", "api", {}, ()))
        ms -= step
