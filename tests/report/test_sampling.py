"""How samples come about: latencies by series, memory and processor time from the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headgate import usage
from headgate.sampling import Latencies, Sampler

SPIN = """
import time
end = time.process_time() + 0.3
while time.process_time() < end: pass
print(flush=True)
input()
"""


def test_quantiles_are_right_within_a_step() -> None:
    latencies = Latencies()
    for ms in range(1, 1001):
        latencies.add("api/admin", ms / 1000)
    (found,) = latencies.take()
    assert (found.series, found.count) == ("api/admin", 1000)
    assert 500 <= found.p50_ms <= 551
    assert 990 <= found.p99_ms <= 1090
    assert latencies.take() == []


def test_nothing_is_quicker_than_a_millisecond_and_series_are_bounded() -> None:
    latencies = Latencies()
    for i in range(30):
        latencies.add(f"s{i}", 0.0)
    found = latencies.take()
    assert len(found) == 16
    assert {(each.p50_ms, each.p99_ms) for each in found} == {(1, 1)}


def test_a_process_is_measured_between_samples_and_not_at_once() -> None:
    sampler = Sampler("i", "api", "pod", "host", "api", started=100.0)
    first = sampler.take([os.getpid()], 100.1)
    assert (first.memory_mib, first.cpu, first.age_ms) == (0, 0.0, 100)
    sampler.latencies.add("api/admin", 0.25)
    second = sampler.take([os.getpid()], 160.0)
    assert second.memory_mib > 5
    assert second.cpu > 0
    assert [each.series for each in second.requests] == ["api/admin"]
    last = sampler.take([os.getpid()], 161.0, goodbye=True)
    assert (last.memory_mib, last.goodbye) == (0, True)


def test_busy_children_count_and_gone_ones_do_not_fail() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        used = usage.usage([child.pid])
        child.communicate(b"\n")
    assert used.cpu_seconds >= 0.25
    assert used.memory_bytes > usage.MIB
    gone = usage.usage([child.pid, 0])
    assert (gone.memory_bytes, gone.cpu_seconds) == (0, 0.0)


@pytest.mark.parametrize(("text", "expected"), [("150000 100000\n", 1.5), ("max 100000\n", None), ("junk", None)])
def test_a_quota_bounds_the_processors(tmp_path: Path, text: str, expected: float | None) -> None:
    mine = len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text(text)
    assert usage.processors(tmp_path) == min(mine, expected or mine)
    assert usage.processors(tmp_path / "none") == mine
