"""Who comes to the backend on both evenings, each from an address of its own, and what each was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

from tests.story.site import Site

HAMMER, GUESSER, PERSON = "127.0.3.1", "127.0.3.2", "127.0.3.3"
HAMMERING = 8
"""So many loads of the admin page at once; the next begins as soon as one is answered, at most 20 a second each."""


@dataclass(frozen=True)
class Answer:
    """`asked` and `answered`: CLOCK_MONOTONIC_RAW in ns, as in the notes. Status 0: none."""

    who: str
    asked: int
    answered: int
    status: int

    @property
    def admitted(self) -> bool:
        """The application saw it: neither refused nor turned away."""
        return self.status not in (0, 413, 429, 503)


class Visitors:
    """Come with `with`, and leave with its end."""

    def __init__(self, site: Site) -> None:
        self.answers: list[Answer] = []
        self._stop = threading.Event()
        guess = {"name": "ada", "password": "?"}
        self._clients = {who: site.client(who) for who in (HAMMER, GUESSER, PERSON)}
        self._threads = [
            *(self._visitor(HAMMER, 0.05, lambda to: to.get("/api/admin/statistics")) for _ in range(HAMMERING)),
            self._visitor(GUESSER, 0.2, lambda to: to.post("/api/auth/login", json=guess)),
            self._visitor(PERSON, 0.5, lambda to: to.get("/api/contacts")),
        ]

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for client in self._clients.values():
            client.close()

    def of(self, who: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.who == who]

    def _visitor(self, who: str, every: float, ask: Callable[[httpx.Client], httpx.Response]) -> threading.Thread:
        return threading.Thread(target=self._visit, args=(who, every, ask), daemon=True)

    def _visit(self, who: str, every: float, ask: Callable[[httpx.Client], httpx.Response]) -> None:
        client = self._clients[who]
        while not self._stop.wait(every):
            asked, status = _now(), 0
            with suppress(httpx.TransportError):
                status = ask(client).status_code
            self.answers.append(Answer(who, asked, _now(), status))


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
