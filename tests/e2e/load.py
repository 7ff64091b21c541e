"""Work that does not run out while something happens to a cluster, however slow the machine."""

from __future__ import annotations

import threading

import rq


class Load:
    """Enqueues a job of `seconds` as soon as fewer than ten wait, until the end of the block. `jobs`: their ids."""

    def __init__(self, queue: rq.Queue, seconds: float) -> None:
        self.jobs: list[str] = []
        self._queue = queue
        self._seconds = seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._enqueue, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _enqueue(self) -> None:
        while not self._done.wait(0.1):
            if self._queue.count < 10:
                self.jobs.append(self._queue.enqueue("e2e_app.nap", self._seconds).id)
