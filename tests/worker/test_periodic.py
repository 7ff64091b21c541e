"""`headgate-task` as a process, with a real store: one run at a time, whatever happens to it."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.gates.door import Door
from headgate.gates.runs import Begin, Begun, TaskState
from headgate.gates.verbs import Owner
from headgate.model.documents import QueueDocument, TaskDocument
from headgate_worker.periodic.settings import load, tick_of

pytestmark = pytest.mark.store
HERE = Path(__file__).parent
TASK = "ns/sync"


class Stage:
    """One task in one store, and its runs."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.door, self.file = url, Door(url), folder / "lines"
        self._generation = 0
        self._runs: list[subprocess.Popen[str]] = []

    def publish(self, function: str, *args: Any, **spec: Any) -> None:
        self._generation += 1
        document = TaskDocument(
            name=TASK,
            schedule="* * * * *",
            function=f"periodic_functions.{function}",
            args=(str(self.file), *args),
            **spec,
        )
        self.door.publish(document, Owner(TASK, "uid", self._generation))

    def start(self, job: str = "by-hand", pod: str = "") -> subprocess.Popen[str]:
        environment = {**os.environ, "REDIS_URL": self.url, "HEADGATE_TASK": TASK, "HEADGATE_JOB_NAME": job}
        run = subprocess.Popen(
            [sys.executable, "-m", "headgate_worker.periodic.main"],
            env={**environment, "HEADGATE_POD_NAME": pod or f"{job}-pod"},
            cwd=HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._runs.append(run)
        return run

    def run(self, job: str = "by-hand", pod: str = "") -> tuple[int, str]:
        return ended(self.start(job, pod))

    def lines(self) -> list[tuple[Any, ...]]:
        if not self.file.exists():
            return []
        return [ast.literal_eval(line.partition(" {")[0]) for line in self.file.read_text().splitlines()]

    def state(self) -> TaskState:
        return self.door.inspect_tasks()[TASK]

    def close(self) -> None:
        for run in self._runs:
            if run.poll() is None:
                run.kill()
            run.communicate()
        self.door.close()


@pytest.fixture
def stage(valkey_url: str, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(valkey_url, tmp_path)
    yield found
    found.close()


def ended(run: subprocess.Popen[str], seconds: float = 40) -> tuple[int, str]:
    out, _ = run.communicate(timeout=seconds)
    return run.returncode, out


def until(holds: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "not within time"
        time.sleep(0.05)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_run_calls_its_function_and_its_end_is_noted(stage: Stage) -> None:
    stage.publish("note", 1, [2, None], kwargs={"a": {"b": 3}})
    code, out = stage.run()
    assert code == 0, out
    assert stage.file.read_text() == "(1, [2, None]) {'a': {'b': 3}}\n"
    assert stage.state().last_outcome == "ok"
    assert "Periodic run" in out
    assert f"task={TASK}" in out


def test_a_failing_function_fails_the_run_and_shows_why(stage: Stage) -> None:
    stage.publish("fail")
    code, out = stage.run()
    assert code == 1
    assert "RuntimeError: no luck today" in out
    assert "outcome=failed" in out
    assert stage.state().last_outcome == "failed"
    assert stage.run(pod="retry")[0] == 1
    assert len(stage.lines()) == 2, "a retry of the same Job runs again"


def test_a_second_run_is_skipped_with_the_words_that_people_grep_for(stage: Stage) -> None:
    stage.publish("stay", 5)
    first = stage.start("sync-29468160")
    until(stage.lines)
    code, out = stage.run("by-hand")
    assert code == 0
    assert "already running, skipping" in out
    assert f"task={TASK} run=by-hand holder=sync-29468160 pod=sync-29468160-pod" in out
    code, out = stage.run("sync-29468161")
    assert code == 0
    assert "already running, skipping" in out
    assert "tick=2026-01-11T00:01:00Z" in out
    assert ended(first)[0] == 0
    assert [words[0] for words in stage.lines()] == ["began", "ended"]
    assert stage.state().skipped == 1, "a run by hand has no tick"


def test_a_tick_that_came_while_another_ran_has_passed(stage: Stage) -> None:
    stage.publish("note")
    assert stage.run("by-hand")[0] == 0
    code, out = stage.run("sync-29468160")
    assert code == 0
    assert "already running, skipping" in out
    assert "another run ended after this tick" in out
    assert len(stage.lines()) == 1


def test_the_deadline_ends_a_function_that_listens_to_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.publish("ignore_term", deadline_seconds=4)
    code, out = stage.run()
    ((_, pid, child),) = stage.lines()
    assert code == 1, out
    assert "outcome=deadline" in out
    assert not alive(pid)
    assert not alive(child)
    assert stage.state().last_outcome == "deadline"


def test_sigterm_stops_the_function_and_frees_the_lease(stage: Stage) -> None:
    stage.publish("stay", 600)
    run = stage.start()
    ((_, pid),) = until(stage.lines)
    run.send_signal(signal.SIGTERM)
    code, out = ended(run)
    assert code == 1
    assert "told to stop" in out
    assert not alive(pid)
    assert stage.state().running == ""


def test_a_lost_lease_stops_the_function(stage: Stage) -> None:
    stage.publish("stay", 600)
    run = stage.start()
    ((_, pid),) = until(stage.lines)
    assert stage.door.end_run(TASK, "by-hand", fence_of(stage), "failed")
    assert isinstance(stage.door.begin_run(Begin(TASK, "other", "pod")), Begun)
    code, out = ended(run)
    assert code == 1
    assert 'reason="lease lost"' in out
    assert not alive(pid)
    assert stage.state().running == "other", "its end changed nothing"


def fence_of(stage: Stage) -> int:
    return int(stage.door.command("HGET", stage.door.keys.task_run(TASK), "fence"))


def test_a_killed_runner_takes_its_function_along(stage: Stage) -> None:
    stage.publish("stay", 600)
    run = stage.start()
    ((_, pid),) = until(stage.lines)
    run.kill()
    until(lambda: not alive(pid))
    assert stage.state().running == "by-hand", "its lease lapses by itself"


@pytest.mark.slow
def test_the_next_attempt_of_a_killed_run_waits_for_its_lease(stage: Stage) -> None:
    stage.publish("stay", 600)
    run = stage.start("sync-29468160", "pod-1")
    ((_, _pid),) = until(stage.lines)
    run.kill()
    began = time.monotonic()
    stage.publish("note")
    # Alone in its store, a lost run costs a quarantine as well: 20 s for the lease and 20 s for that.
    code, out = ended(stage.start("sync-29468160", "pod-2"), 90)
    assert code == 0, out
    assert "an earlier attempt of this run may be alive" in out
    assert time.monotonic() - began > 10
    assert stage.state().last_outcome == "ok"


def test_hold_and_unknown_tasks_start_nothing(stage: Stage) -> None:
    code, out = stage.run()
    assert code == 1
    assert "this task is not published in the store" in out
    stage.publish("note", stop_policy="Hold")
    code, out = stage.run()
    assert code == 0
    assert "held by stopPolicy" in out
    assert stage.lines() == []


def test_an_enqueued_job_is_waited_for(stage: Stage) -> None:
    stage.publish("note", "job", type="Enqueue", queue="mail", deadline_seconds=60)
    run = stage.start()
    until(lambda: stage.door.command("LLEN", stage.door.keys.queue("mail")))
    assert stage.run("second")[0] == 0, "the trigger holds the lease while the job waits"
    work_off(stage)
    code, out = ended(run)
    assert code == 0, out
    assert stage.lines() == [("job",)]


def test_a_failed_job_fails_its_run(stage: Stage) -> None:
    stage.publish("fail", type="Enqueue", queue="mail", deadline_seconds=60)
    run = stage.start()
    until(lambda: stage.door.command("LLEN", stage.door.keys.queue("mail")))
    work_off(stage)
    code, out = ended(run)
    assert code == 1
    assert "is failed" in out


def test_a_job_that_nobody_takes_is_taken_back_at_the_deadline(stage: Stage) -> None:
    stage.publish("note", type="Enqueue", queue="mail", deadline_seconds=1)
    code, out = stage.run()
    assert code == 1
    assert "outcome=deadline" in out
    assert stage.door.command("LLEN", stage.door.keys.queue("mail")) == 0


def test_a_function_that_the_queue_does_not_take_is_not_put_in(stage: Stage) -> None:
    queue = {"payload": "JSON", "functions": ("app.other",)}
    stage.door.publish(QueueDocument(queue="mail", jobs=queue), Owner("ns/mail", "uid-q", 1))
    stage.publish("note", type="Enqueue", queue="mail")
    code, out = stage.run()
    assert code == 1
    assert "FunctionNotAllowed: periodic_functions.note is not in jobs.functions" in out


def work_off(stage: Stage) -> None:
    """A stock worker does for one job."""
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--url", stage.url, "mail"]
    subprocess.run(command, env=environment, cwd=HERE, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("job", "minutes"),
    [
        ("sync-29468160", 29468160),
        ("sync-1", None),
        ("sync-manual", None),
        ("other-29468160", None),
        ("sync-29468160-x", None),
    ],
)
def test_only_the_controllers_own_names_carry_a_tick(job: str, minutes: int | None) -> None:
    assert tick_of(TASK, job) == (None if minutes is None else minutes * 60_000)


@pytest.mark.parametrize("task", ["", "sync", "a/b/c", "A/b"])
def test_a_task_is_named_with_its_namespace(task: str) -> None:
    from headgate.errors import InvalidInput

    with pytest.raises(InvalidInput, match="NAMESPACE/NAME"):
        load([], {"HEADGATE_TASK": task, "REDIS_URL": "redis://localhost"})
