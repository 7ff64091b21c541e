"""The jobs. Each does for a moment what its real counterpart does: waits on somebody, computes, or holds memory.

How long, how much and whether it goes wrong is drawn anew at each run. TASKFORCE_SPEED divides all times (default 1).
"""

import hashlib
import json
import os
import random
import time

from headgate_worker import RateLimited
from taskforce.record import recorded

SPEED = float(os.environ.get("TASKFORCE_SPEED", "1"))
MAIL_BUDGET = "budget/mail-provider"
MIB = 1024 * 1024


class Unreachable(Exception):
    """The other side did not answer. RQ's Retry is for this."""


def _wait(least_ms: int, most_ms: int) -> None:
    """Wait for somebody else: a provider, a mailbox, a customer's server."""
    time.sleep(random.uniform(least_ms, most_ms) / 1000 / SPEED)


def _compute(least_ms: int, most_ms: int) -> str:
    """Keep a core busy and return what came out of it."""
    end = time.thread_time() + random.uniform(least_ms, most_ms) / 1000 / SPEED
    digest = b"taskforce"
    while time.thread_time() < end:
        digest = hashlib.sha256(digest * 32).digest()
    return digest.hex()


def _mail(message: str) -> str:
    """Hand one message to the outside mail provider, which sometimes says 429 or nothing at all."""
    _wait(40, 160)
    luck = random.random()
    if luck < 0.005:
        raise RateLimited(retry_after=0.2, scope=MAIL_BUDGET)
    if luck < 0.02:
        raise Unreachable(f"mail provider: no answer for {message}")
    return message


@recorded
def send_campaign(tenant: str, campaign: int, recipient: str) -> str:
    return _mail(f"{tenant}/campaign-{campaign}/{recipient}")


@recorded
def send_follow_up(tenant: str, campaign: int, recipient: str) -> str:
    return _mail(f"{tenant}/follow-up-{campaign}/{recipient}")


@recorded
def send_email(tenant: str, recipient: str) -> str:
    return _mail(f"{tenant}/mail/{recipient}")


@recorded
def wake_snoozed(tenant: str, thread: int) -> int:
    """Put a snoozed thread back on top."""
    _wait(10, 40)
    return thread


@recorded
def sync_mailbox(tenant: str, mailbox: str) -> int:
    """Fetch what is new in a mailbox; the far end is not always there."""
    _wait(50, 200)
    if random.random() < 0.05:
        raise Unreachable(f"mailbox {mailbox} of {tenant}")
    _compute(2, 10)
    return random.randrange(50)


@recorded
def import_contacts(tenant: str, rows: int) -> int:
    """Parse an upload: the whole of it is in memory while this runs."""
    upload = bytearray(random.randrange(8, 25) * MIB)
    upload[::4096] = b"x" * len(upload[::4096])
    contacts = [json.loads(f'{{"tenant": "{tenant}", "row": {row}}}') for row in range(rows)]
    _wait(30, 100)
    return len(contacts)


@recorded
def export_report(tenant: str, month: int) -> int:
    """Build one tenant's report: memory and computing."""
    pages = [os.urandom(MIB // 4) for _ in range(random.randrange(8, 24))]
    _compute(5, 20)
    _wait(40, 120)
    return sum(map(len, pages)) + month


@recorded
def aggregate_day(tenant: str, day: int) -> str:
    """Count one day: computing only."""
    return f"{tenant}/{day}/{_compute(10, 40)[:8]}"


@recorded
def deliver_webhook(tenant: str, url: str) -> int:
    """Call a customer's server, which is down now and then."""
    _wait(20, 120)
    if random.random() < 0.04:
        raise Unreachable(f"{url} of {tenant}")
    return 200
