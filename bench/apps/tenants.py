"""Jobs of tenants: `hold` keeps its place until a file appears, `stamp` is over at once. Both say when they ran."""

import os
import time
from pathlib import Path

from bench.apps.stamped import writer
from tests.recorder.history import Kind

RELEASE = Path(os.environ["BENCH_RELEASE"])


def hold(number: int) -> None:
    writer.add(Kind.START, job=f"job-{number}", queue="bench", key="whale")
    while not RELEASE.exists():
        time.sleep(0.05)
    writer.add(Kind.END, job=f"job-{number}", queue="bench", key="whale", note="ok")


def stamp(number: int) -> None:
    writer.add(Kind.START, job=f"job-{number}", queue="bench", key="minnow")
    writer.add(Kind.END, job=f"job-{number}", queue="bench", key="minnow", note="ok")
