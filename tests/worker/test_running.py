"""Plain RQ jobs on a real worker and a real store."""

import os

from tests.worker.running import Bench, wait_for

T = "tests.worker.tasks."


def test_plain_jobs_run(bench: Bench) -> None:
    bench.publish()
    jobs = [bench.queue.enqueue(T + "add", number, right=1) for number in range(20)]
    worker = bench.ready()
    bench.ended(*jobs)
    assert [job.return_value() for job in jobs] == list(range(1, 21))
    late = bench.queue.enqueue(T + "add", 40, 2)
    bench.ended(late)
    assert late.return_value() == 42
    assert worker.stop() == 0
