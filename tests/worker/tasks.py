"""Jobs that the worker tests enqueue by name. Those that matter leave a record that knows no Headgate."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

import redis
import rq

from headgate_worker import RateLimited, current_fence
from tests.recorder.history import Kind, Writer


def _recorded(path: str, seconds: float, note: str = "ok") -> None:
    job = rq.get_current_job()
    with Writer(Path(path)) as record:
        record.add(Kind.START, job=job.id, queue=job.origin)
        time.sleep(seconds)
        record.add(Kind.END, job=job.id, queue=job.origin, note=note)


def add(left: int, right: int = 0) -> int:
    return left + right


def nothing() -> None:
    """A no-op."""


def record(path: str, seconds: float = 0.0) -> None:
    _recorded(path, seconds)


def fail(path: str) -> None:
    _recorded(path, 0.0, "failed")
    raise ValueError("as told")


def fail_times(path: str, times: int) -> int:
    """Fails that often, then returns how often it ran."""
    marker = Path(path)
    ran = int(marker.read_text()) + 1 if marker.exists() else 1
    marker.write_text(str(ran))
    if ran <= times:
        raise ValueError(f"run {ran}")
    return ran


def retry_result(path: str) -> object:
    marker = Path(path)
    if marker.exists():
        return "second"
    marker.write_text("1")
    return rq.Retry(max=2)


def write(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text + "\n")


def die_by(signum: int, path: str) -> None:
    """Takes its process with it, at its first run only."""
    marker = Path(path)
    if not marker.exists():
        marker.write_text("1")
        os.kill(os.getpid(), signum)
        time.sleep(30)


def always_die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault(path: str) -> None:
    marker = Path(path)
    if not marker.exists():
        marker.write_text("1")
        ctypes.string_at(0)


def exit_at_once(path: str) -> None:
    marker = Path(path)
    if not marker.exists():
        marker.write_text("1")
        os._exit(3)


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def ignore_timeout(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            time.sleep(0.05)


async def later(value: str) -> str:
    await asyncio.sleep(0.01)
    job = rq.get_current_job()
    return f"{value} {job.id}"


def about_me() -> dict[str, object]:
    job = rq.get_current_job()
    return {
        "id": job.id,
        "worker": job.worker_name,
        "status": str(job.get_status(refresh=False)),
        "fence": current_fence(),
        "env_job": os.environ.get("RQ_JOB_ID"),
        "env_worker": os.environ.get("RQ_WORKER_ID"),
        "group_leader": os.getpgid(0) == os.getpid(),
        "pid": os.getpid(),
    }


def change_myself() -> None:
    job = rq.get_current_job()
    job.description = "changed"
    job.meta["step"] = 2
    job.save_meta()


def limited(path: str, retry_after: float, times: int, scope: str = "queue") -> int:
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{time.time()}\n")
    ran = len(Path(path).read_text().splitlines())
    if ran <= times:
        raise RateLimited(retry_after, scope)
    return ran


def unserialisable() -> object:
    return lambda: None


def spawn_child(path: str) -> None:
    """Leaves a process of its own behind when it is killed."""
    child = subprocess.Popen(["sleep", "300"])
    Path(path).write_text(str(child.pid))
    time.sleep(30)


def allocate(mib: int, seconds: float = 0.0) -> int:
    """Keeps that much memory, as a leak does."""
    _kept.append(bytearray(mib << 20))
    time.sleep(seconds)
    return os.getpid()


_kept: list[bytearray] = []


def succeeded(job: object, connection: object, result: object, *_: object) -> None:
    write(_callback_file(job), f"success {result}")


def failed(job: object, connection: object, kind: type, value: object, trace: object) -> None:
    write(_callback_file(job), f"failure {kind.__name__}")


def stopped(job: object, connection: object) -> None:
    write(_callback_file(job), "stopped")


def broken_callback(job: object, connection: object, result: object) -> None:
    raise RuntimeError("the callback broke")


def _callback_file(job: object) -> str:
    return str(job.meta["callbacks"])  # type: ignore[attr-defined]


def callback_without_its_server(job: object, connection: object, result: object) -> None:
    """Its own Redis is down, which says nothing about ours."""
    redis.Redis(port=1).ping()


def fill_until(mib: int, path: str) -> int:
    """Holds that much memory until there is a file."""
    held = os.urandom(1 << 20) * mib
    while not Path(path).exists():
        time.sleep(0.02)
    return len(held)
