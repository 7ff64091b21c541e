"""Before the first slot: a store that answers and that may be used."""

from __future__ import annotations

import time

from headgate.errors import StoreUnavailable
from headgate.gates import client
from headgate_worker import logs
from headgate_worker.loop import Signals
from headgate_worker.store_link import StoreLink


def wait_for_store(link: StoreLink, signals: Signals) -> bool:
    """Try until the store answers, a line each time. False when told to stop meanwhile.

    Raises StoreUnsuitable when it answers but must not be used: too old, evicting, or it refuses our password.
    """
    for wait in client.backoff():
        if signals.terminated or signals.interrupted:
            return False
        link.refresh()
        try:
            link.door.check()
        except StoreUnavailable as error:
            logs.get().warning("the store cannot be reached, trying again", error=str(error), seconds=round(wait, 2))
            _sleep(wait, signals)
            continue
        return True
    return False


def _sleep(seconds: float, signals: Signals) -> None:
    """A signal interrupts `time.sleep` only for its handler, so the wait is cut into pieces."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (signals.terminated or signals.interrupted):
        time.sleep(min(0.1, max(0.0, end - time.monotonic())))
