"""When a schedule is due: Kubernetes' own reading of cron, so that what we count is what its controller starts.

Source: robfig/cron v3 `ParseStandard` and `SpecSchedule.Next`, which the CronJob controller uses. Five fields; day of
month and day of week both given: either may match; day of week 0 to 6. Hour and minute are those on the wall of
`time_zone`: what a spring change leaves out does not run that day, what an autumn change repeats runs twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from headgate.errors import InvalidInput

NEVER_AFTER = timedelta(days=5 * 366)
"""A schedule without a tick in five years has none (31 February)."""
MACROS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_PART = re.compile(r"([^/-]+)(?:-([^/-]+))?(?:/(\d+))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    names: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {name: at for at, name in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 6, {name: at for at, name in enumerate(_DAYS)}),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What `parsed` makes. Times are UTC, whole minutes."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime | None:
        """The first tick later than `moment`, None when there is none in five years."""
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        last = at + NEVER_AFTER
        while at <= last:
            wall = at.astimezone(self.zone)
            if wall.month not in self.months or not self._on(wall) or wall.hour not in self.hours:
                at += timedelta(minutes=60 - wall.minute)
            elif wall.minute not in self.minutes:
                at += timedelta(minutes=1)
            else:
                return at
        return None

    def between(self, after: datetime, until: datetime, most: int = 128) -> list[datetime]:
        """The ticks later than `after` and not later than `until`: the newest `most`."""
        found: list[datetime] = []
        tick = self.after(after)
        while tick is not None and tick <= until:
            found = [*found[-most + 1 :], tick]
            tick = self.after(tick)
        return found

    def _on(self, wall: datetime) -> bool:
        day, weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return (day and weekday) if self.any_day else (day or weekday)


@lru_cache(maxsize=1024)
def parsed(schedule: str, time_zone: str = "Etc/UTC") -> Schedule:
    """Raises InvalidInput: a sentence that names field, value and what would be right."""
    zone = _zone(time_zone)
    text = MACROS.get(schedule.strip().lower(), schedule)
    if text.startswith("@"):
        raise InvalidInput(f"spec.schedule: {schedule} is not known, give five fields or one of {', '.join(MACROS)}")
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise InvalidInput(
            f"spec.schedule: {schedule!r} has {len(parts)} fields, "
            "give five: minute, hour, "
            "day of month, month, day of week"
        )
    minutes, hours, days, months, weekdays = (
        frozenset(_numbers(part, field)) for part, field in zip(parts, _FIELDS, strict=True)
    )
    any_day = any(item in ("*", "?", "*/1") for part in (parts[2], parts[4]) for item in part.split(","))
    found = Schedule(minutes, hours, days, months, weekdays, any_day, zone)
    if found.after(datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise InvalidInput(f"spec.schedule: {schedule!r} never comes, no such day is in the calendar")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        if name.lower() == "local" or name != name.strip():
            raise ValueError(name)
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InvalidInput(
            f"spec.timeZone: {name!r} is not in the tz database, give a name such as Europe/Berlin or Etc/UTC"
        ) from None


def _numbers(text: str, field: _Field) -> Iterator[int]:
    for item in text.split(","):
        match = _PART.fullmatch(item)
        if match is None:
            raise _wrong(item, field)
        low, high, step = match.groups()
        if low in ("*", "?") and high is None:
            first, last = field.first, field.last
        else:
            first = _number(low, field)
            last = _number(high, field) if high else field.last if step else first
        if not field.first <= first <= last <= field.last or step == "0":
            raise _wrong(item, field)
        yield from range(first, last + 1, int(step or 1))


def _number(text: str, field: _Field) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    if text.lower() in field.names:
        return field.names[text.lower()]
    raise _wrong(text, field)


def _wrong(item: str, field: _Field) -> InvalidInput:
    names = f" or {', '.join(field.names)}" if field.names else ""
    return InvalidInput(
        f"spec.schedule: {item!r} is no {field.name}, give numbers from {field.first} to {field.last}{names}"
    )
