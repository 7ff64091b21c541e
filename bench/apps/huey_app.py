"""The same jobs for Huey: blocking pops, results only of what returns something (its defaults)."""

import os

from huey import RedisHuey

from bench.apps import jobs

huey = RedisHuey("bench", url=os.environ["BENCH_STORE_URL"])
noop = huey.task()(jobs.noop)
incr = huey.task()(jobs.incr)
