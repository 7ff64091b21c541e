"""The supervisor's one ear: arrivals, wakes, policy changes, suspend, RQ's commands go to their listeners from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headgate.errors import StoreUnavailable
from headgate.gates.ear import Arrived, Command, Ear, PolicyChanged, SuspendChanged, Woken
from headgate_worker.loop import Loop
from headgate_worker.store_link import StoreLink


@dataclass(slots=True)
class Listeners:
    arrived: Callable[[], None]
    woken: Callable[[], None]
    policy_changed: Callable[[], None]
    suspend_changed: Callable[[bool], None]
    command: Callable[[str, bytes], None]


class Hearing:
    """`open` after every break of the store. `channels` are RQ's command channels, one for each slot."""

    def __init__(
        self, url: Callable[[], str], prefix: str, queue: str, instance: str, link: StoreLink, loop: Loop
    ) -> None:
        self._url = url
        self._prefix = prefix
        self._queue = queue
        self._instance = instance
        self._link = link
        self._loop = loop
        self._ear: Ear | None = None
        self._fd = -1
        self._channels: Sequence[str] = ()
        self.listeners: Listeners

    def open(self) -> None:
        """Connect anew. Raises StoreUnavailable."""
        self.close()
        self._ear = ear = Ear(self._url(), self._prefix, self._queue, self._instance, self._channels)
        self._fd = ear.fileno()
        self._loop.watch(self._fd, self._read)
        self._read()

    def listen(self, channels: Sequence[str]) -> None:
        """Hear exactly these command channels."""
        self._channels = channels
        if self._ear is not None:
            try:
                self._ear.listen(channels)
            except StoreUnavailable as error:
                self._broke(error)

    def arm(self) -> int | None:
        """Hear the queue's next change; its length now, None when the store is away. Arm only while a slot is idle."""
        if self._ear is None or not self._link.up:
            return None
        try:
            length = self._ear.arm()
        except StoreUnavailable as error:
            self._broke(error)
            return None
        self._loop.after(0, self._read)  # something may have come with it
        return length

    @property
    def tracks(self) -> bool:
        """Whether the store tells of changes. A proxy may not: then the queue is looked at now and then."""
        return self._ear is not None and self._ear.tracking

    def close(self) -> None:
        if self._ear is not None:
            self._loop.forget(self._fd)  # the ear itself closes its socket when it breaks
            self._ear.close()
            self._ear = None

    def _read(self) -> None:
        if self._ear is None:
            return
        try:
            events = self._ear.read()
        except StoreUnavailable as error:
            self._broke(error)
            return
        for event in events:
            self._tell(event)

    def _tell(self, event: Arrived | Woken | PolicyChanged | SuspendChanged | Command) -> None:
        match event:
            case Arrived():
                self.listeners.arrived()
            case Woken():
                self.listeners.woken()
            case PolicyChanged():
                self.listeners.policy_changed()
            case SuspendChanged(suspended):
                self.listeners.suspend_changed(suspended)
            case Command(channel, payload):
                self.listeners.command(channel, payload)

    def _broke(self, error: Exception) -> None:
        self.close()
        self._link.lost(error)
