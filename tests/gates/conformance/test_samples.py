"""What processes say of themselves: kept for 48 hours, bounded, the same on the reference and in real stores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.gates.samples import Process, Requests, Sample, Samples
from tests.gates.conformance.bench import Bench
from tests.gates.conformance.fleet import Fleet

MINUTE = 60_000
ONE = Sample("pod-1", "worker", "pod", "host", "mails", 1_000, 1.5, 120, 0.25)


def read(bench: Bench, since: int = 0) -> Samples:
    return bench.gates("reader").read_samples(since)  # type: ignore[attr-defined, no-any-return]


def say(bench: Bench, sample: Sample) -> None:
    bench.gates("worker").record_sample(sample)  # type: ignore[attr-defined]


def only(bench: Bench, since: int = 0) -> Process:
    (found,) = read(bench, since).processes
    return found


def test_a_sample_comes_back_as_it_was_said(bench: Bench) -> None:
    say(bench, replace(ONE, requests=[Requests("api/admin", 70_000, 12, 480)]))
    found = only(bench)
    assert (found.instance, found.kind, found.pod, found.host, found.subject) == (
        "pod-1", "worker", "pod", "host", "mails",
    )  # fmt: skip
    assert (found.processors, found.started, found.last, found.ended) == (1.5, bench.now - 1_000, bench.now, 0)
    assert [(use.minute, use.memory_mib, use.cpu) for use in found.uses] == [(bench.now // MINUTE, 120, 0.25)]
    assert dict(found.requests) == {"api/admin": [(bench.now // MINUTE, Requests("api/admin", 70_000, 12, 480))]}
    assert read(bench).now == bench.now


def test_the_start_stands_and_a_goodbye_is_taken_back_by_a_later_word(bench: Bench) -> None:
    say(bench, ONE)
    started = only(bench).started
    bench.advance(MINUTE)
    say(bench, replace(ONE, age_ms=5, memory_mib=0, goodbye=True))
    found = only(bench)
    assert (found.started, found.ended, len(found.uses)) == (started, bench.now, 1)
    bench.advance(MINUTE)
    say(bench, ONE)
    assert only(bench).ended == 0


def test_forty_eight_hours_are_kept_and_no_more(bench: Bench) -> None:
    for at in range(2_890):
        say(bench, replace(ONE, memory_mib=at + 1, requests=[Requests("api/admin", at, 1, 2)]))
        if at < 2_889:
            bench.advance(MINUTE)
    found, last = only(bench), bench.now // MINUTE
    assert [(use.minute, use.memory_mib) for use in found.uses] == [(last - 2_879 + i, i + 11) for i in range(2_880)]
    assert [each.count for _, each in found.requests["api/admin"]] == list(range(10, 2_890))
    recent = only(bench, since=bench.now - 60 * MINUTE)
    assert len(recent.uses) == len(recent.requests["api/admin"]) == 61
    bench.advance(48 * 60 * MINUTE + 1_000)
    assert read(bench).processes == []
    assert not {"samples"} & {name.rpartition(":")[2] for name in bench.own_keys()}


def test_numbers_that_do_not_fit_are_the_largest_that_do(bench: Bench) -> None:
    say(bench, replace(ONE, memory_mib=10**6, cpu=900, requests=[Requests("s", 1, 10**7, 10**8)]))
    found = only(bench)
    assert [(use.memory_mib, use.cpu) for use in found.uses] == [(65_535, 65.535)]
    ((_, requests),) = found.requests["s"]
    assert (requests.p50_ms, requests.p99_ms) == (65_535, 65_535)


def test_many_series_and_many_processes_are_bounded(bench: Bench) -> None:
    say(bench, replace(ONE, requests=[Requests(f"s{i}", 1, 1, 1) for i in range(40)]))
    assert len(only(bench).requests) == 16
    for i in range(1_010):
        bench.advance(1)
        say(bench, replace(ONE, instance=f"loop-{i}"))
    names = {found.instance for found in read(bench).processes}
    assert names == {f"loop-{i}" for i in range(10, 1_010)}


def test_a_process_that_beats_is_seen_to(bench: Bench, fleet: Fleet) -> None:
    fleet.policy()
    fleet.beat("w1")
    say(bench, replace(ONE, instance="w1"))
    assert only(bench).beats
    bench.advance(20_000)
    assert not only(bench).beats


@pytest.mark.store
def test_twenty_processes_for_two_days_are_half_a_megabyte(valkey_url: str) -> None:
    """What the size of the rings costs in a real store, all keys and their expiry included."""
    from tests.gates.conformance.server_bench import ServerBench

    bench = ServerBench(valkey_url)
    before = bench._client.info("memory")["used_memory"]
    ring = bytes(6 * 2_880)
    for i in range(20):
        say(bench, replace(ONE, instance=f"w{i}"))
        bench._client.hset(f"rq:hg:sample:w{i}", "use", ring)
    grown = bench._client.info("memory")["used_memory"] - before
    bench.close()
    assert grown < 600_000
