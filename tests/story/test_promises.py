"""The story's own judge finds a planted violation of each promise."""

import pytest

from tests.recorder.grants import Grant
from tests.recorder.history import Event, Kind
from tests.story import promises
from tests.story.promises import SECOND, broken, unaccounted


def day(queue: str, count: int, tenant: str = "acme", apart: int = SECOND // 2) -> tuple[list[Event], list[Grant]]:
    """`count` jobs that run one after the other, in as many processes, `apart` ns from start to start."""
    events, grants = [], []
    for number in range(count):
        job, at = f"{queue}-{number}", number * apart
        events.append(Event(Kind.ACKED, at, 1, job, queue, tenant))
        events.append(Event(Kind.START, at, 100 + number, job, queue, tenant))
        events.append(Event(Kind.END, at + SECOND // 4, 100 + number, job, queue, tenant, "ok"))
        grants.append(Grant(job, at, at))
    return sorted(events, key=lambda event: event.at), grants


@pytest.mark.parametrize("queue", promises.SLOTS)
def test_a_calm_day_keeps_every_promise(queue: str) -> None:
    assert broken(*day(queue, 20)) == []


@pytest.mark.parametrize(("queue", "slots"), promises.SLOTS.items())
def test_one_job_more_than_slots_is_found(queue: str, slots: int) -> None:
    events, _ = day(queue, slots + 1, apart=SECOND // 100)
    assert f"{queue}: {slots + 1} at once, {slots} allowed" in " ".join(broken(events, []))


def test_a_third_export_of_one_tenant_is_found() -> None:
    events, _ = day("exports", 3, apart=SECOND // 100)
    assert broken(events, []) == ["exports of acme: 3 at once, 2 allowed, with exports-2"]


@pytest.mark.parametrize(
    ("queue", "limit", "name"),
    [("emails", 60, "mail provider"), ("analytics", 20, "analytics"), ("webhooks", 5, "webhooks of acme")],
)
def test_one_start_more_than_the_rate_is_found(queue: str, limit: int, name: str) -> None:
    apart = SECOND // (limit + 1)
    events, grants = day(queue, limit + 1, apart=apart)
    assert f"{name}: {limit + 1} starts in one second, {limit} allowed" in broken(events, grants)


def test_a_job_that_nobody_ended_is_found() -> None:
    events, _ = day("sync", 2)
    assert unaccounted(events, {"sync-0": "finished", "sync-1": "failed"}) == []
    assert unaccounted(events, {"sync-0": "finished", "sync-1": "started"}) == ["lost: {'sync-1': 'started'}"]
