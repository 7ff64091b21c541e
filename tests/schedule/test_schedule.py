"""Schedules as Kubernetes reads them: syntax, days, daylight saving; cronsim agrees wherever both mean the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.errors import InvalidInput
from headgate.schedule import parsed


def ticks(schedule: str, zone: str, after: str, several: int) -> list[str]:
    """In the zone's own time, with its offset."""
    found, at = parsed(schedule, zone), datetime.fromisoformat(after)
    shown = []
    for _ in range(several):
        tick = found.after(at)
        assert tick is not None
        shown.append(tick.astimezone(found.zone).isoformat(timespec="minutes"))
        at = tick
    return shown


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", "2026-01-31T12:01+00:00"),
        ("*/15 * * * *", "2026-01-31T12:15+00:00"),
        ("5/20 * * * *", "2026-01-31T12:05+00:00"),
        ("0 9-17/4 * * MON-fri", "2026-02-02T09:00+00:00"),
        ("0 0 1 JAN,jul ?", "2026-07-01T00:00+00:00"),
        ("30 3 29 2 *", "2028-02-29T03:30+00:00"),
        ("0 0 13 * 5", "2026-02-06T00:00+00:00"),
        ("0 0 */1 * 5", "2026-02-06T00:00+00:00"),
        ("@hourly", "2026-01-31T13:00+00:00"),
        ("@Daily", "2026-02-01T00:00+00:00"),
        ("@weekly", "2026-02-01T00:00+00:00"),
        ("@monthly", "2026-02-01T00:00+00:00"),
        ("@yearly", "2027-01-01T00:00+00:00"),
    ],
)
def test_the_next_tick(schedule: str, expected: str) -> None:
    assert ticks(schedule, "Etc/UTC", "2026-01-31T12:00:30+00:00", 1) == [expected]


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * *", "has 4 fields, give five"),
        ("* * * * * *", "has 6 fields, give five"),
        ("60 * * * *", "'60' is no minute, give numbers from 0 to 59"),
        ("* 24 * * *", "'24' is no hour"),
        ("* * 0 * *", "'0' is no day of month"),
        ("* * * 13 *", "'13' is no month, give numbers from 1 to 12 or jan, feb"),
        ("* * * * 7", "'7' is no day of week, give numbers from 0 to 6"),
        ("5-1 * * * *", "'5-1' is no minute"),
        ("*/0 * * * *", "is no minute"),
        ("a * * * *", "'a' is no minute"),
        ("-1 * * * *", "is no minute"),
        ("1,,2 * * * *", "is no minute"),
        ("@every 5m", "@every 5m is not known, give five fields or one of @yearly"),
        ("0 0 31 2 *", "never comes"),
        ("", "has 0 fields"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(schedule: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=r"spec\.schedule") as refused:
        parsed(schedule)
    assert words in str(refused.value)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../etc/passwd", "Local", "/etc/localtime", " UTC"])
def test_a_zone_that_is_not_in_the_database_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput, match=r"spec\.timeZone: .* give a name such as Europe/Berlin"):
        parsed("* * * * *", zone)


def test_the_hour_that_spring_leaves_out_does_not_run_that_day() -> None:
    """29 March 2026, 02:00 becomes 03:00 in Berlin."""
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00+01:00", 3) == [
        "2026-03-28T02:30+01:00",
        "2026-03-30T02:30+02:00",
        "2026-03-31T02:30+02:00",
    ]


def test_the_hour_that_autumn_repeats_runs_twice() -> None:
    """25 October 2026, 03:00 becomes 02:00 in Berlin."""
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00", 3) == [
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:30+01:00",
        "2026-10-26T02:30+01:00",
    ]


def test_minutes_go_on_through_both_changes() -> None:
    """Every minute is every minute: no gap and no double, by the clock that never jumps."""
    found = parsed("* * * * *", "Europe/Berlin")
    for day in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)):
        due = found.between(day, day + timedelta(hours=4), most=1000)
        assert due == [day + timedelta(minutes=at) for at in range(1, 241)]


def test_midnight_that_does_not_exist_is_left_out_and_the_day_is_not() -> None:
    """In Beirut the spring change is at midnight: 29 March 2026 begins at 01:00."""
    assert ticks("0 0 * * *", "Asia/Beirut", "2026-03-27T12:00:00+02:00", 2) == [
        "2026-03-28T00:00+02:00",
        "2026-03-30T00:00+03:00",
    ]
    assert ticks("0 1 29 3 *", "Asia/Beirut", "2026-03-27T12:00:00+02:00", 1) == ["2026-03-29T01:00+03:00"]


def test_a_zone_of_half_hours() -> None:
    assert ticks("0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00+00:00", 1) == ["2026-01-01T09:00+05:30"]


def test_between_keeps_the_newest() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = parsed("* * * * *").between(start, start + timedelta(minutes=10), most=3)
    assert [tick.minute for tick in found] == [8, 9, 10]
    assert parsed("* * * * *").between(start, start + timedelta(seconds=59)) == []


def field(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.one_of(
        st.just("*"), number.map(str), span, st.lists(number.map(str), min_size=1, max_size=3).map(",".join)
    )


@settings(max_examples=200, deadline=None)
@given(
    field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6), st.integers(0, 100_000_000)
)  # day 29 to 31: cronsim and we differ only in what never comes
def test_cronsim_agrees_where_no_clock_changes(
    minute: str, hour: str, day: str, month: str, weekday: str, seconds: int
) -> None:
    text = f"{minute} {hour} {day} {month} {weekday}"
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    theirs, at = CronSim(text, start), start
    for _ in range(3):
        tick = parsed(text).after(at)
        assert tick == next(theirs)
        at = tick
