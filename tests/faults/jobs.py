"""A job that runs for as long as it is told and says so in the record."""

import os
import time
from pathlib import Path

import rq

from tests.recorder.history import Kind, Writer

writer = Writer(Path(os.environ["TASKFORCE_RECORD"]))


def busy(seconds: float) -> None:
    job = rq.get_current_job()
    writer.add(Kind.START, job=job.id, queue=job.origin)
    time.sleep(seconds)
    writer.add(Kind.END, job=job.id, queue=job.origin, note="ok")
