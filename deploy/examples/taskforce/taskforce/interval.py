"""The three periodic tasks as they were: `setInterval`, which starts the next run whether or not the last has ended.

`python -m taskforce.interval --every 60`, until TERM.
"""

import argparse
import signal
import threading
from collections.abc import Callable

from taskforce import periodic

TASKS = (periodic.sync_due_mailboxes, periodic.process_scheduled_emails, periodic.process_snoozed_emails)


def set_interval(function: Callable[[], object], seconds: float, stopped: threading.Event) -> None:
    """Like JavaScript's: it does not wait for the last run."""
    while not stopped.wait(seconds):
        threading.Thread(target=function, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="taskforce.interval", description=__doc__)
    parser.add_argument("--every", type=float, default=60.0, help="seconds")
    options = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    for task in TASKS:
        threading.Thread(target=set_interval, args=(task, options.every, stopped), daemon=True).start()
    stopped.wait()


if __name__ == "__main__":
    main()
