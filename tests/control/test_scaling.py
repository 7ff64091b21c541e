"""How many workers a queue wants, for any numbers; and when fewer of them may be."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.control.scaling import SILENCE_SECONDS, Need, Stabilization, recommended
from headgate.model.queue_policy import Autoscaling


def rules(low: int = 1, high: int = 10, target: int = 20, window: int = 300) -> Autoscaling:
    return Autoscaling.model_validate(
        {
            "minReplicas": low,
            "maxReplicas": high,
            "targetBacklogPerSlot": target,
            "scaleDownStabilizationSeconds": window,
        }
    )


@pytest.mark.parametrize(
    ("running", "waiting", "bound", "workers"),
    [
        (0, 0, 30, 1),
        (3, 57, 30, 1),
        (3, 58, 30, 2),
        (3, 600, 30, 10),
        (3, 600, 7, 3),  # seven places: a third worker has one of them, a fourth none
        (14, 0, 30, 5),
        (14, 600, 1, 5),  # the total was lowered while fourteen ran
        (90, 0, 30, 10),
    ],
)
def test_workers_of_three_slots(running: int, waiting: int, bound: int, workers: int) -> None:
    assert recommended(rules(), Need(running, waiting, 3, bound)) == workers


def test_none_at_all_if_the_policy_allows_it() -> None:
    """And one as soon as a job is due: nobody else would put it into the queue."""
    assert recommended(rules(low=0), Need(0, 0, 3, 30)) == 0
    assert recommended(rules(low=0), Need(0, 1, 3, 30)) == 1


COUNT = st.integers(0, 10_000)
NEEDS = st.builds(Need, running=COUNT, waiting=COUNT, per_worker=st.integers(1, 64), bound=COUNT)
LIMITS = st.tuples(st.integers(0, 20), st.integers(1, 1_000)).filter(lambda pair: pair[0] <= pair[1])


@given(limits=LIMITS, target=st.integers(1, 1_000), need=NEEDS)
def test_for_any_need(limits: tuple[int, int], target: int, need: Need) -> None:
    """Within the limits, enough for what runs, and never a worker that no gate would give work."""
    low, high = limits
    workers = recommended(rules(low, high, target), need)
    assert low <= workers <= high
    assert workers >= min(high, ceil(need.running / need.per_worker))
    assert workers <= max(low, ceil(need.bound / need.per_worker), ceil(need.running / need.per_worker))


@given(limits=LIMITS, target=st.integers(1, 1_000), need=NEEDS, more=COUNT)
def test_more_jobs_never_want_fewer_workers(limits: tuple[int, int], target: int, need: Need, more: int) -> None:
    waiting = Need(need.running, need.waiting + more, need.per_worker, need.bound)
    assert recommended(rules(*limits, target), waiting) >= recommended(rules(*limits, target), need)


@given(wanted=st.lists(st.integers(0, 50), min_size=1, max_size=60), window=st.integers(0, 100))
def test_fewer_only_after_a_whole_window_that_asked_for_no_more(wanted: list[int], window: int) -> None:
    """Against the plain rule: the highest of all looks within the window, and a full window behind us."""
    stabilization, replicas = Stabilization(), 25
    for number, value in enumerate(wanted):
        now = number * 5.0
        before, replicas = replicas, stabilization.settled(replicas, value, now, window)
        within = wanted[max(0, ceil(number - window / 5)) : number + 1]
        if value >= before:
            assert replicas == value
        elif now < window:
            assert replicas == before
        else:
            assert replicas == min(before, max(within))


def test_what_nobody_saw_is_no_reason_to_scale_in() -> None:
    stabilization = Stabilization()
    for second in range(0, 305, 5):
        stabilization.settled(5, 5, second, 300)
    later = 300 + SILENCE_SECONDS + 5
    assert stabilization.settled(5, 1, later, 300) == 5
    for second in range(5, 300, 5):
        assert stabilization.settled(5, 1, later + second, 300) == 5
    assert stabilization.settled(5, 1, later + 300, 300) == 1
