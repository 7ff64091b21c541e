"""The backend's database: a year of mails in SQLite, and the questions of the admin page, which read all of it."""

import os
import random
import sqlite3
from pathlib import Path
from typing import Any

from taskforce.notes import noted

ROWS = int(os.environ.get("TASKFORCE_ROWS", "60000"))
MOST_DAYS = 365
NEWEST = 1_764_028_800
"""When the last mail was sent, seconds since the epoch."""
STATES = ("sent", "sent", "sent", "opened", "replied", "bounced")


class Database:
    """One file. Each question opens it anew, so any thread may ask."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            self._fill()

    def per_day(self, days: int) -> list[list[Any]]:
        """(day, mails, replies), newest first: DATE() of every row, as the story's queries had it."""
        return self._ask(
            "mails-per-day",
            "SELECT DATE(sent_at, 'unixepoch'), COUNT(*), SUM(state = 'replied') FROM mails"
            " GROUP BY 1 ORDER BY 1 DESC LIMIT ?",
            min(days, MOST_DAYS),
        )

    def per_tenant(self, days: int) -> list[list[Any]]:
        """(tenant, mails, share of replies) of the newest `days`."""
        return self._ask(
            "mails-per-tenant",
            "SELECT tenant, COUNT(*), ROUND(AVG(state = 'replied'), 4) FROM mails"
            " WHERE DATE(sent_at, 'unixepoch') >= DATE((SELECT MAX(sent_at) FROM mails), 'unixepoch', ?)"
            " GROUP BY 1 ORDER BY 2 DESC",
            f"-{min(days, MOST_DAYS)} days",
        )

    def states(self) -> list[list[Any]]:
        return self._ask("mails-by-state", "SELECT state, COUNT(*), MAX(LENGTH(subject)) FROM mails GROUP BY 1")

    def size(self) -> list[list[Any]]:
        """(bytes), about: reads every row."""
        return self._ask(
            "database-size", "SELECT SUM(LENGTH(tenant) + LENGTH(state) + LENGTH(subject) + 16) FROM mails"
        )

    def _ask(self, name: str, question: str, *values: Any) -> list[list[Any]]:
        with noted(name):
            connection = sqlite3.connect(self.path)
            try:
                return [list(row) for row in connection.execute(question, values)]
            finally:
                connection.close()

    def _fill(self) -> None:
        dice = random.Random(1)
        unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with sqlite3.connect(unfinished) as connection:
            connection.execute("CREATE TABLE mails (tenant TEXT, sent_at INTEGER, state TEXT, subject TEXT)")
            rows = (_mail(dice, number) for number in range(ROWS))
            connection.executemany("INSERT INTO mails VALUES (?, ?, ?, ?)", rows)
        connection.close()
        unfinished.replace(self.path)


def _mail(dice: random.Random, number: int) -> tuple[str, int, str, str]:
    sent_at = NEWEST - dice.randrange(MOST_DAYS * 86_400)
    return f"tenant-{dice.randrange(40)}", sent_at, dice.choice(STATES), f"letter {number}"
