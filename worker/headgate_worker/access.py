"""A child's two ways to the store: the door of the gates, and RQ's kind of client, opened when it is first needed."""

from __future__ import annotations

from typing import Any

from headgate.gates import client
from headgate.gates.door import Door
from headgate_worker.settings import Settings, current_store_url


class Access:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = current_store_url(settings)
        self._client: Any = None
        self.door = Door(self._url, settings.prefix)

    def connect(self) -> Any:
        """The `redis.Redis` for RQ's own code and for jobs that ask for their job's connection."""
        if self._client is None:
            self._client = client.connect(self._url)
        return self._client

    def refresh(self) -> None:
        """After a break: the password in the mounted Secret may be another by now."""
        url = current_store_url(self._settings)
        if url != self._url:
            self.door.close()
            self._url, self._client = url, None
            self.door = Door(url, self._settings.prefix)
