"""The backend's half of `make story`: its judge finds planted violations, and both evenings are as they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import promises
from tests.story.backend_evening import SECOND, backend_evening, judge, rows
from tests.story.minutes import depths
from tests.story.visitors import GUESSER, HAMMER, PERSON, Answer

CALM = {"sync_due_mailboxes": [1, 1]}


def answers(who: str, count: int, status: int = 200) -> list[Answer]:
    return [Answer(who, n * SECOND, n * SECOND + 1, status) for n in range(count)]


@pytest.mark.parametrize(
    ("who", "count", "status", "rule"),
    [(HAMMER, 30, 200, "admin"), (PERSON, 100, 200, "general"), (GUESSER, 5, 401, "auth")],
)
def test_one_request_more_than_allowed_is_found(who: str, count: int, status: int, rule: str) -> None:
    assert judge([*answers(who, count, status), *answers(who, 50, 429)], CALM, 0, 0, 0).broken == []
    (sentence,) = judge(answers(who, count + 1, status), CALM, 0, 0, 0).broken
    assert sentence.startswith(f"{rule} of {who}: {count + 1} requests in")


def test_a_run_on_top_of_another_is_found() -> None:
    notes = ["sync_due_mailboxes 10 1 S", "sync_due_mailboxes 20 2 S", "sync_due_mailboxes 30 1 E"]
    notes += ["sync_due_mailboxes 40 2 E", "sync_due_mailboxes 40 3 S", "process_snoozed_emails 41 4 S"]
    starts = depths(notes)
    assert starts["sync_due_mailboxes"] == [1, 2, 1]
    assert starts["process_snoozed_emails"] == [1]
    found = judge([], starts, 0, 0, 0)
    assert (found.task_overlaps, found.task_at_once) == (1, 2)
    assert found.broken == ["sync_due_mailboxes: 2 at once, 1 allowed"]


@pytest.mark.store
@pytest.mark.slow
@pytest.mark.timeout(170)
def test_before_it_stacks_and_hammers_and_after_it_does_not(tmp_path: Path) -> None:
    before = backend_evening(tmp_path / "before", limited=False, seconds=30)
    after = backend_evening(tmp_path / "after", limited=True, seconds=30)
    limit, _ = promises.HTTP["admin"]
    assert before.admin_admitted > 2 * limit
    assert before.queries >= 4 * (before.admin_admitted - 8)
    assert before.guesses > promises.HTTP["auth"][0]
    assert before.task_overlaps > 0
    assert len(before.broken) >= 3
    assert after.broken == []
    assert after.admin_admitted == limit < after.admin_asked
    assert after.guesses == promises.HTTP["auth"][0]
    assert after.queries == 3
    assert after.task_runs > 3
    assert after.task_skips > 0
    assert all(len(row) == 3 for row in rows(before, after))
