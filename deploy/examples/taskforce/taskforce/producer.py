"""A producer that knows plain RQ only: `python -m taskforce.producer --rate 30`, until TERM or `--jobs`."""

import argparse
import logging
import os
import random
import signal
import time
from collections import Counter

from redis import Redis
from rq import Queue

from taskforce import mix
from taskforce.record import write

REPORT_SECONDS = 5
CATCH_UP_SECONDS = 1
"""After a pause (a store that was away) at most this much of the rate is made up for at once."""

log = logging.getLogger("taskforce.producer")


class Producer:
    """Enqueues `rate` jobs a second in the mix of `mix.ARRIVALS`; `jobs` 0 means until `stop`."""

    def __init__(self, connection: Redis, rate: float, jobs: int, seed: int | None) -> None:
        self.queues = {arrival.queue: Queue(arrival.queue, connection=connection) for arrival in mix.ARRIVALS}
        self.rate, self.jobs = rate, jobs
        self.dice = random.Random(seed)
        self.made: Counter[str] = Counter()
        self.stopped = False

    def stop(self, *_: object) -> None:
        self.stopped = True

    def run(self) -> int:
        """Enqueue until told to stop; return how many."""
        due = reported = time.monotonic()
        while not self.stopped and not (self.jobs and self.made.total() >= self.jobs):
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                reported = now
                self.report()
            if now < due:
                time.sleep(min(due - now, 0.2))
                continue
            due = max(due, now - CATCH_UP_SECONDS) + 1 / self.rate
            self.enqueue()
        return self.made.total()

    def enqueue(self) -> None:
        arrival = mix.choose(self.dice)
        job = mix.enqueue(self.queues, arrival, self.dice)
        write("A", f"{job.id} {arrival.queue} {job.meta[mix.KEY_FIELD]}")
        self.made[arrival.queue] += 1

    def report(self) -> None:
        parts = ", ".join(f"{name} {count}" for name, count in self.made.most_common())
        log.info("enqueued %d jobs: %s", self.made.total(), parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="taskforce.producer", description=__doc__)
    parser.add_argument("--url", default=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
    parser.add_argument("--rate", type=float, default=30.0, help="jobs a second")
    parser.add_argument("--jobs", type=int, default=0, help="stop after so many; 0: until TERM")
    parser.add_argument("--seed", type=int, default=None, help="the same jobs again")
    options = parser.parse_args()
    if options.rate <= 0:
        parser.error(f"--rate {options.rate:g}: more than 0 is needed")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    producer = Producer(Redis.from_url(options.url), options.rate, options.jobs, options.seed)
    signal.signal(signal.SIGTERM, producer.stop)
    signal.signal(signal.SIGINT, producer.stop)
    producer.run()
    producer.report()


if __name__ == "__main__":
    main()
