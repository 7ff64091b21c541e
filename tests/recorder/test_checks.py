"""Each check passes a good history and fails one with a planted violation; the exact ones agree with brute force."""

import random
from collections.abc import Sequence

import pytest

from tests.recorder.accounts import acknowledged_twice, lost, never_ran, restarts, succeeded_twice, unexplained
from tests.recorder.history import Event, Kind, Malformed
from tests.recorder.overlap import Limit, above, at_once, by, peak
from tests.recorder.runs import KILLED, OPEN, Run, runs
from tests.recorder.windows import busiest, crowded, utilisation

S, E, K, F = Kind.START, Kind.END, Kind.KILLED, Kind.FROZEN


def run(started: int, ended: int, job: str = "j", queue: str = "q", outcome: str = "ok", key: str = "") -> Run:
    return Run(job, queue, key, 1, started, ended, outcome)


def history(*events: tuple[Kind, int, int, str, str]) -> list[Run]:
    return runs(Event(kind, at, pid, job, "q", note=note) for kind, at, pid, job, note in events)


# ---- runs ------------------------------------------------------------------------------------------------------------


def test_a_killed_run_ends_with_its_process_and_an_open_one_with_the_history() -> None:
    found = history(
        (S, 1, 10, "a", ""), (S, 2, 11, "b", ""), (K, 5, 10, "", ""), (S, 9, 12, "a", ""), (E, 12, 12, "a", "ok")
    )
    assert [(r.job, r.started, r.ended, r.outcome) for r in found] == [
        ("a", 1, 5, KILLED),
        ("b", 2, 12, OPEN),
        ("a", 9, 12, "ok"),
    ]


def test_a_process_that_runs_two_jobs_at_once_spoils_the_record() -> None:
    with pytest.raises(Malformed, match="starts b while it runs a"):
        history((S, 1, 10, "a", ""), (S, 2, 10, "b", ""))


def test_an_end_without_its_start_spoils_the_record() -> None:
    with pytest.raises(Malformed, match="did not start"):
        history((S, 1, 10, "a", ""), (E, 2, 10, "b", "ok"))


# ---- concurrency -----------------------------------------------------------------------------------------------------


def test_one_run_too_many_is_found() -> None:
    good = [run(0, 10), run(1, 4), run(4, 9)]
    assert peak(good) == 2
    assert above(good, 2) == []
    planted = run(5, 6, job="late")
    assert [(found.run.job, found.running) for found in above([*good, planted], 2)] == [("late", 3)]


def test_a_lowered_limit_holds_for_starts_and_kills_nothing() -> None:
    limit = Limit(((0, 3), (100, 1)))
    running = [run(0, 200), run(1, 200), run(2, 300)]
    assert above(running, limit) == []
    assert len(above([*running, run(150, 160)], limit)) == 1
    assert above([*running, run(301, 310)], limit) == []


def test_while_a_change_settles_both_numbers_are_right() -> None:
    limit = Limit(((0, 2), (100, 1)), settle_ns=10)
    assert (limit.at(99), limit.at(105), limit.at(111)) == (2, 2, 1)


def test_overlap_agrees_with_counting_at_each_start() -> None:
    dice = random.Random(7)
    for _ in range(200):
        some = [
            run(start, start + dice.randint(1, 20))
            for start in (dice.randint(0, 50) for _ in range(dice.randint(1, 30)))
        ]
        brute = max(sum(other.started <= one.started < other.ended for other in some) for one in some)
        assert peak(some) == brute
        assert len(at_once(some)) == len(some)


def test_runs_are_counted_for_each_name_and_only_where_there_is_one() -> None:
    groups = by([run(0, 1, key="acme"), run(0, 1, key="acme"), run(0, 1)], lambda one: one.key)
    assert {name: len(found) for name, found in groups.items()} == {"acme": 2}


# ---- rates -----------------------------------------------------------------------------------------------------------


def brute_busiest(times: Sequence[int], period: int) -> int:
    return max(sum(start <= moment < start + period for moment in times) for start in times)


def test_a_window_that_no_bucket_would_show_is_found() -> None:
    at_the_seam = [80, 90, 95, 99, 100, 101, 105, 110]
    assert max(sum(low <= t < low + 100 for t in at_the_seam) for low in (0, 100)) == 4
    assert busiest(at_the_seam, 100) == 8
    assert crowded(at_the_seam, 8, 100) == []
    assert len(crowded(at_the_seam, 4, 100)) == 4


def test_exactly_one_period_apart_is_allowed_and_a_nanosecond_less_is_not() -> None:
    assert crowded([0, 1, 100, 101], 2, 100) == []
    found = crowded([0, 1, 99, 101], 2, 100)
    assert [(one.span_ns, one.short_ns) for one in found] == [(99, 1)]


def test_windows_agree_with_brute_force() -> None:
    dice = random.Random(11)
    for _ in range(200):
        times = [dice.randint(0, 200) for _ in range(dice.randint(1, 40))]
        period, limit = dice.randint(1, 60), dice.randint(1, 8)
        assert busiest(times, period) == brute_busiest(times, period)
        assert bool(crowded(times, limit, period)) == (brute_busiest(times, period) > limit)


def test_utilisation_tells_full_use_from_half() -> None:
    full = [period * 100 + n for period in range(10) for n in range(5)]
    assert utilisation(full, 5, 100) == pytest.approx(1.0)
    assert utilisation(full[::2], 5, 100) == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="less than one period"):
        utilisation([1, 2], 5, 100)


# ---- accounts --------------------------------------------------------------------------------------------------------


def test_a_job_that_vanished_or_stays_started_is_lost() -> None:
    states = {"a": "finished", "b": "failed", "c": "started"}
    assert lost(["a", "b"], states) == {}
    assert lost(["a", "c", "d"], states) == {"c": "started", "d": "missing"}


def test_two_acknowledgements_of_one_job_are_found() -> None:
    assert acknowledged_twice(["a", "b"]) == set()
    assert acknowledged_twice(["a", "b", "a"]) == {"a"}


def test_a_retry_explains_a_second_start_and_nothing_does_not() -> None:
    retried = history((S, 1, 1, "a", ""), (E, 2, 1, "a", "failed"), (S, 3, 1, "a", ""), (E, 4, 1, "a", "ok"))
    assert (unexplained(retried), succeeded_twice(retried)) == ({}, set())
    again = history((S, 1, 1, "a", ""), (E, 2, 1, "a", "ok"), (S, 3, 1, "a", ""), (E, 4, 1, "a", "ok"))
    assert (unexplained(again), succeeded_twice(again)) == ({"a": 1}, {"a"})


@pytest.mark.parametrize("fault", [K, F])
def test_a_fault_after_the_end_explains_a_second_run_until_something_else_starts_there(fault: Kind) -> None:
    end, again = (S, 1, 1, "a", ""), (S, 9, 2, "a", "")
    excused = history(end, (E, 2, 1, "a", "ok"), (fault, 3, 1, "", ""), again, (E, 10, 2, "a", "ok"))
    assert (unexplained(excused), succeeded_twice(excused)) == ({}, set())
    other = [(S, 3, 1, "b", ""), (fault, 4, 1, "", "")]
    assert unexplained(history(end, (E, 2, 1, "a", "ok"), *other, again, (E, 10, 2, "a", "ok"))) == {"a": 1}


def test_the_time_from_a_kill_to_the_next_start_is_told() -> None:
    found = history(
        (S, 1, 1, "a", ""),
        (S, 1, 2, "b", ""),
        (K, 5, 1, "", ""),
        (K, 5, 2, "", ""),
        (S, 12, 3, "a", ""),
        (E, 13, 3, "a", "ok"),
    )
    assert restarts(found) == {"a": 7, "b": None}


def test_a_job_that_never_ran_is_found() -> None:
    assert never_ran(["a", "b"], [run(0, 1, job="a")]) == {"b"}
