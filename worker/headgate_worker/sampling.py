"""What this worker uses, said to the store once a minute, for `headgate report`: see `headgate.gates.samples`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from headgate.errors import StoreFull
from headgate.sampling import Sampler
from headgate_worker.store_link import StoreLink


class Sampling:
    """`pids`: all processes of this worker, 0 for one that is not there."""

    def __init__(self, instance: str, pod: str, queue: str, link: StoreLink, pids: Callable[[], Iterable[int]]) -> None:
        self._link, self._pids = link, pids
        self._sampler = Sampler(instance, "worker", pod, socket.gethostname(), queue, time.monotonic())

    def sample(self) -> None:
        """At the start, and each minute. While the store is away a minute is left out."""
        self._link.attempt(self._record)

    def goodbye(self) -> None:
        """That it ends of its own accord: whoever stays silent instead has crashed."""
        self._link.attempt(lambda: self._record(goodbye=True))

    def _record(self, *, goodbye: bool = False) -> None:
        pids = [pid for pid in self._pids() if pid]
        with suppress(StoreFull):  # a full store has no room for what is only nice to know
            self._link.door.record_sample(self._sampler.take(pids, time.monotonic(), goodbye=goodbye))
