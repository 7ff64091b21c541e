"""RQ's timeout from one alarm: its exception and words, in the job that is too long and in no other."""

import signal
import time
from collections.abc import Iterator

import pytest
from rq.timeouts import JobTimeoutException

from headgate_worker.timeouts import Alarm, effective_timeout, kill_after


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    before = signal.getsignal(signal.SIGALRM)
    alarm = Alarm()
    yield alarm
    alarm.silence()
    signal.signal(signal.SIGALRM, before)


def test_the_job_that_is_too_long(alarm: Alarm) -> None:
    alarm.arm(1, time.monotonic_ns())
    with pytest.raises(JobTimeoutException, match=r"^Task exceeded maximum timeout value \(1 seconds\)$"):
        time.sleep(10)


def test_the_next_job_is_not_hit_by_the_alarm_of_the_last(alarm: Alarm) -> None:
    alarm.arm(1, time.monotonic_ns())
    alarm.disarm()
    time.sleep(1.2)  # idle while the old alarm rings
    alarm.arm(1, time.monotonic_ns())
    alarm.disarm()
    alarm.arm(100, time.monotonic_ns())
    signal.raise_signal(signal.SIGALRM)  # an early one finds nothing due
    alarm.disarm()


def test_a_nudge_from_the_supervisor_after_the_job_took_the_alarm_for_itself(alarm: Alarm) -> None:
    alarm.arm(1, time.monotonic_ns())
    signal.alarm(0)
    end = time.monotonic() + 1.1
    while time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(JobTimeoutException):
        signal.raise_signal(signal.SIGALRM)


def test_the_handler_is_put_back_for_the_next_job(alarm: Alarm) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    alarm.arm(1, time.monotonic_ns())
    with pytest.raises(JobTimeoutException):
        time.sleep(10)


@pytest.mark.parametrize(
    ("stored", "deadline", "seconds"),
    [
        (None, 3600, 180),
        (b"30", 3600, 30),
        (b"-1", 3600, 3600),
        (b"0", 3600, 180),
        (b"7200", 3600, 3600),
        (None, 60, 60),
    ],
)
def test_the_shorter_of_timeout_and_deadline(stored: bytes | None, deadline: int, seconds: int) -> None:
    assert effective_timeout(stored, deadline) == seconds


def test_when_it_is_killed() -> None:
    assert kill_after(30, 3600) == 90
    assert kill_after(3590, 3600) == 3605
    assert kill_after(60, 60) == 65


def test_one_alarm_serves_many_jobs(alarm: Alarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm that is still to ring is left alone; when it rings early it is set again for the job that runs."""
    alarms: list[int] = []
    ring = signal.alarm
    monkeypatch.setattr(signal, "alarm", lambda seconds: (alarms.append(seconds), ring(seconds))[1])
    for _ in range(5):
        alarm.arm(1, time.monotonic_ns())
        alarm.disarm()
    assert alarms == [1]
    time.sleep(0.5)
    began = time.monotonic()
    alarm.arm(1, time.monotonic_ns())  # the first alarm rings after half of this job's time
    with pytest.raises(JobTimeoutException):
        time.sleep(10)
    assert time.monotonic() - began >= 1
    assert alarms == [1]
    alarm.arm(100, time.monotonic_ns())
    alarm.arm(1, time.monotonic_ns())  # a shorter one cannot wait for it
    assert alarms == [1, 100, 1]
