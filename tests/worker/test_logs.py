"""Log lines: the words people look for, one line each, nothing that a job can forge."""

import json
import os
import re

import pytest

from headgate_worker.logs import JobLines, quote

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_text(capfd: pytest.CaptureFixture[str]) -> None:
    lines = JobLines("mail", "pod-1.0", "text", "info")
    lines.start("job-1", "app.tasks.send")
    lines.end("job-1", "app.tasks.send", 0.25, "ok")
    lines.start("job-2", "app.tasks.send")
    lines.flush()
    first, second, third = capfd.readouterr().err.splitlines()
    assert re.fullmatch(
        STAMP + " info Queue job event=start id=job-1 function=app.tasks.send queue=mail worker=pod-1.0", first
    )
    assert "Queue job event=end id=job-1 function=app.tasks.send seconds=0.250000 outcome=ok" in second
    assert "event=start id=job-2" in third


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    lines = JobLines("mail", "pod-1.0", "json", "info")
    lines.end("job-1", "f", 0.25, "failed", 'ValueError: "quoted"\nand a second line')
    lines.flush()
    record = json.loads(capfd.readouterr().err)
    assert record["message"] == "Queue job"
    assert record["seconds"] == 0.25
    assert record["error"] == 'ValueError: "quoted"\nand a second line'


def test_a_job_cannot_forge_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    lines = JobLines("mail", "w", "text", "info")
    lines.end("id\nQueue job event=end id=other outcome=ok", "f g", 1.0, "failed", "x outcome=ok")
    lines.flush()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.count("\n") == 0
    assert 'error="x outcome=ok"' in line
    assert quote("") == '""'


def test_silent_above_info(capfd: pytest.CaptureFixture[str]) -> None:
    lines = JobLines("mail", "w", "text", "warning")
    lines.start("a", "f")
    lines.end("a", "f", 1.0, "ok")
    lines.flush()
    assert capfd.readouterr().err == ""
    assert not lines.enabled


def test_a_closed_stderr_is_no_crash() -> None:
    lines = JobLines("mail", "w", "text", "info")
    kept = os.dup(2)
    os.close(2)
    try:
        lines.start("a", "f")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert not lines.enabled
