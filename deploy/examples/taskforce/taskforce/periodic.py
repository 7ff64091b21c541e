"""What happens each minute: three functions that know nothing of each other, of minutes, or of limits.

Each looks for what is due and takes as long as there is of it; now and then that is longer than a minute.
"""

import os
import random
import time

from taskforce.notes import noted

SPEED = float(os.environ.get("TASKFORCE_SPEED", "1"))
SECONDS = (5.0, 80.0)


def sync_due_mailboxes() -> int:
    return _work("sync_due_mailboxes")


def process_scheduled_emails() -> int:
    return _work("process_scheduled_emails")


def process_snoozed_emails() -> int:
    return _work("process_snoozed_emails")


def _work(name: str) -> int:
    """How many were due."""
    with noted(name):
        seconds = random.uniform(*SECONDS) / SPEED
        time.sleep(seconds)
        return round(seconds)
