"""A real worker says what it uses from its start on, and goodbye when it drains; one that is killed does not."""

from __future__ import annotations

import os

import pytest

from headgate.gates.samples import Process
from tests.worker.running import Bench, wait_for

pytestmark = [pytest.mark.store]


def processes(bench: Bench) -> list[Process]:
    return list(bench.door.read_samples(0).processes)


def test_who_drains_says_goodbye_and_who_is_killed_does_not(bench: Bench) -> None:
    bench.publish(per_worker=1)
    worker = bench.ready()
    (found,) = wait_for(lambda: processes(bench), "a first sample")
    assert (found.kind, found.subject, found.ended) == ("worker", "work", 0)
    assert found.beats
    assert 0 < found.processors <= len(os.sched_getaffinity(0))
    assert worker.stop() == 0
    (found,) = processes(bench)
    assert found.ended >= found.started > 0
    killed = bench.ready()
    killed.kill()
    (other,) = (each for each in processes(bench) if each.instance != found.instance)
    assert other.ended == 0
