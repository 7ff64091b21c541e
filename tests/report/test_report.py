"""The five metrics: what passes, what fails, and what is not known; each with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from headgate.gates.http import RuleCounts, SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.samples import Process, Requests, Samples, Use
from headgate.model.documents import HttpDocument, HttpRule, TaskDocument
from headgate.report import Metric, Report, Verdict, report

MINUTE = 60_000
NOW = 30_000_000 * MINUTE
SINCE = NOW - 24 * 60 * MINUTE
DAY = 24 * 60


def process(
    name: str = "w-1",
    memory: Callable[[int], float] = lambda _: 200,
    cpu: Callable[[int], float] = lambda _: 0.2,
    minutes: int = DAY,
    **more: Any,
) -> Process:
    """One that has run for the last `minutes`, the last of them now."""
    started = NOW - minutes * MINUTE
    uses = [Use(started // MINUTE + at, round(memory(at)), cpu(at)) for at in range(minutes + 1)]
    made = Process(name, "worker", name, "host", "mails", 2.0, started, NOW - 1_000, 0, True, uses)
    return replace(made, **more)


def of(*processes: Process, tasks: Any = None, surfaces: Any = None) -> Report:
    return report(SINCE, Samples(NOW, processes), tasks or {}, surfaces or {})


def metric(found: Report, start: str) -> Metric:
    return next(each for each in found.metrics if each.name.startswith(start))


def test_an_empty_store_has_no_data_and_does_not_fail() -> None:
    found = of()
    assert {each.verdict for each in found.metrics} == {Verdict.NO_DATA}
    assert len(found.metrics) == 5
    assert not found.failed


def test_a_quiet_day_passes_what_was_measured() -> None:
    found = of(process(), process("w-2"))
    assert [each.verdict for each in found.metrics] == [*[Verdict.PASS] * 3, *[Verdict.NO_DATA] * 2]
    assert "2 processes alive" in metric(found, "no crashes").evidence[0]


def test_who_falls_silent_has_crashed_and_who_says_goodbye_has_not() -> None:
    gone = {"last": NOW - 11 * 60 * MINUTE, "beats": False}
    fallen, left = process("w-2", **gone), process("w-3", **gone, ended=gone["last"])
    assert metric(of(left), "no crashes").verdict is Verdict.PASS
    found = metric(of(process(), left, fallen), "no crashes")
    assert found.verdict is Verdict.FAIL
    assert found.evidence == ("worker w-2 (mails) ended without a goodbye, 11 h 0 min ago, after 13 h 0 min",)
    assert of(fallen).failed


@pytest.mark.parametrize(("silent", "beats"), [(149_000, False), (600_000, True)])
def test_a_late_sample_is_no_crash(silent: int, beats: bool) -> None:
    assert metric(of(process(last=NOW - silent, beats=beats)), "no crashes").verdict is Verdict.PASS


def test_a_leak_fails_and_noise_does_not() -> None:
    dice = Random(1)
    noisy = process("noisy", lambda _: 200 + dice.uniform(-60, 60))
    peaks = process("peaks", lambda at: 900 if at % 90 == 0 else 200)
    warming = process("warming", lambda at: 60 + 140 * min(at, 8) / 8)
    steady = metric(of(noisy, peaks, warming), "memory")
    assert steady.verdict is Verdict.PASS
    found = metric(of(noisy, process("leak", lambda at: 200 + at / 12 + dice.uniform(-60, 60))), "memory")
    assert found.verdict is Verdict.FAIL
    assert len(found.evidence) == 1
    assert found.evidence[0].startswith("worker leak (mails)")
    assert "+5." in found.evidence[0] or "+4.9" in found.evidence[0], "five MiB an hour"


def test_growth_within_the_tolerance_is_stable() -> None:
    assert metric(of(process(memory=lambda at: 1000 + at * 90 / DAY)), "memory").verdict is Verdict.PASS
    assert metric(of(process(memory=lambda at: 1000 + at * 110 / DAY)), "memory").verdict is Verdict.FAIL
    assert metric(of(process(memory=lambda at: 50 + at * 30 / DAY)), "memory").verdict is Verdict.PASS


def test_half_an_hour_shows_no_trend() -> None:
    found = metric(of(process(memory=lambda at: 100 + 50 * at, minutes=30)), "memory")
    assert found.verdict is Verdict.NO_DATA


def test_processes_of_one_host_add_up() -> None:
    one = metric(of(process(cpu=lambda _: 0.8)), "CPU")
    assert one.verdict is Verdict.PASS
    assert one.evidence == ("host: 40% on average, 40% in the busiest minute, of 2 processors",)
    assert metric(of(process(cpu=lambda _: 0.8), process("w-2", cpu=lambda _: 0.7)), "CPU").verdict is Verdict.FAIL
    apart = of(process(cpu=lambda _: 0.8), process("w-2", cpu=lambda _: 0.7, host="other"))
    assert metric(apart, "CPU").verdict is Verdict.PASS


def test_one_busy_minute_is_no_busy_day() -> None:
    found = metric(of(process(cpu=lambda at: 2.0 if at == 7 else 0.1)), "CPU")
    assert found.verdict is Verdict.PASS
    assert "100% in the busiest minute" in found.evidence[0]


def task(**more: Any) -> TaskState:
    return TaskState("ns/sync", 1, TaskDocument(name="ns/sync", schedule="* * * * *", function="m.f"), **more)


def test_a_task_that_skips_every_cycle_fails_and_one_that_skipped_some_does_not() -> None:
    some = {"ns/sync": task(last_started=5, skipped=40, skips_in_a_row=2)}
    assert metric(of(tasks=some), "no task").evidence == ("ns/sync: 40 ticks skipped since it was published",)
    every = {"ns/sync": task(last_started=5, skipped=40, skips_in_a_row=3)}
    assert metric(of(tasks=every), "no task").verdict is Verdict.FAIL
    assert metric(of(tasks={"ns/sync": task()}), "no task").verdict is Verdict.NO_DATA


def admin(p99: Callable[[int], int], minutes: int = 100, name: str = "api-1") -> Process:
    first = NOW // MINUTE - minutes
    asked = [(first + at, Requests("api/admin", 10, 20, p99(at))) for at in range(minutes)]
    return process(name, kind="api", requests={"api/admin": asked})


def test_an_admin_page_is_responsive_in_nearly_every_minute() -> None:
    found = metric(of(admin(lambda at: 4_000 if at < 5 else 300)), "admin")
    assert found.verdict is Verdict.PASS
    assert found.evidence == (
        "api/admin: 1000 requests, p50 20 ms, p99 at most 1000 ms in 95% of 100 minutes, worst 4000 ms",
    )
    assert metric(of(admin(lambda at: 4_000 if at < 6 else 300)), "admin").verdict is Verdict.FAIL


def test_the_slowest_of_several_processes_counts() -> None:
    assert metric(of(admin(lambda _: 10), admin(lambda _: 2_000, name="api-2")), "admin").verdict is Verdict.FAIL


def surface(**rules: tuple[str, RuleCounts]) -> dict[str, SurfaceState]:
    document = HttpDocument(
        surface="api", rules=tuple(HttpRule(name=name, key=key) for name, (key, _) in rules.items())  # type: ignore[arg-type]
    )  # fmt: skip
    return {"api": SurfaceState("api", 1, document, {name: counts for name, (_, counts) in rules.items()})}


def test_real_users_are_told_from_abuse() -> None:
    found = of(
        surfaces=surface(
            general=("ClientIP", RuleCounts(9_000, 120, 0, 900, 80)),
            auth=("ClientIP", RuleCounts(40, 5_000, 0, 3, 2)),
            burst=("Global", RuleCounts(40, 5_000, 0, 3, 1)),
            few=("User", RuleCounts(40, 9, 0, 3, 3)),
            trial=("User", RuleCounts(40, 0, 50, 3, 20)),
            calm=("User", RuleCounts(40, 0, 0, 3, 0)),
        )
    )
    assert {each.rule: each.who.partition(":")[0] for each in found.refusals} == {
        "general": "real users",
        "auth": "abuse",
        "burst": "everybody",
        "few": "unclear",
        "trial": "real users",
    }


def test_only_so_many_are_named() -> None:
    gone = [process(f"w-{i}", last=NOW - 10 * MINUTE - i, beats=False) for i in range(9)]
    found = metric(of(*gone), "no crashes")
    assert len(found.evidence) == 6
    assert found.evidence[-1] == "and 4 more"
