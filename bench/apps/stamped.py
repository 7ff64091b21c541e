"""A job that only says when it ran, in the recorder's format."""

import os
from pathlib import Path

from tests.recorder.history import Kind, Writer

writer = Writer(Path(os.environ["BENCH_RECORD"]))


def stamp(number: int) -> None:
    writer.add(Kind.START, job=f"job-{number}", queue="bench")
    writer.add(Kind.END, job=f"job-{number}", queue="bench", note="ok")
