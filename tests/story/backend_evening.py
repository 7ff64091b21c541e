"""The other half of the evening: the backend and its visitors, and the three periodic tasks, before and after."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes import tree
from tests.recorder import windows
from tests.story import promises
from tests.story.minutes import Minutes
from tests.story.site import Site
from tests.story.visitors import GUESSER, HAMMER, PERSON, Answer, Visitors
from tests.story.world import World

SECOND = 10**9


@dataclass(frozen=True)
class BackendEvening:
    """Counted from the visitors' answers and the application's notes. `broken`: limits that did not hold."""

    admin_asked: int
    admin_admitted: int
    admin_a_second: int
    queries: int
    guesses: int
    person_slowest_ms: float
    cpu_seconds: float
    task_runs: int
    task_overlaps: int
    task_at_once: int
    task_skips: int
    broken: list[str]


def backend_evening(folder: Path, *, limited: bool, seconds: float) -> BackendEvening:
    with World(folder) as world:
        world.publish()
        factory = "create_app" if limited else "create_before"
        with (
            Site(folder / "site", world.store.url, factory) as site,
            Minutes(folder / "tasks", world.store.url, limited=limited) as minutes,
        ):
            with Visitors(site) as visitors:
                time.sleep(seconds)
            cpu = tree.cpu_seconds([site.process.pid] if site.process else [])
            return judge(visitors.answers, minutes.starts(), sum(site.questions().values()), minutes.skipped(), cpu)


def judge(
    answers: Sequence[Answer], starts: Mapping[str, Sequence[int]], queries: int, skips: int, cpu: float
) -> BackendEvening:
    def admitted(who: str) -> list[int]:
        return [answer.answered for answer in answers if answer.who == who and answer.admitted]

    looks = admitted(HAMMER)
    person = [answer.answered - answer.asked for answer in answers if answer.who == PERSON]
    every = [depth for depths in starts.values() for depth in depths]
    return BackendEvening(
        admin_asked=sum(answer.who == HAMMER for answer in answers),
        admin_admitted=len(looks),
        admin_a_second=windows.busiest(looks, SECOND),
        queries=queries,
        guesses=len(admitted(GUESSER)),
        person_slowest_ms=max(person, default=0) / 1e6,
        cpu_seconds=cpu,
        task_runs=len(every),
        task_overlaps=sum(depth > 1 for depth in every),
        task_at_once=max(every, default=0),
        task_skips=skips,
        broken=[
            *promises.crowded({who: admitted(who) for who in (HAMMER, PERSON)}, "general"),
            *promises.crowded({HAMMER: looks}, "admin"),
            *promises.crowded({GUESSER: admitted(GUESSER)}, "auth"),
            *promises.overlapping(starts),
        ],
    )


def rows(before: BackendEvening, after: BackendEvening) -> list[list[str]]:
    def row(what: str, name: str, form: str = "{:,}") -> list[str]:
        return [what, *(form.format(getattr(side, name)) for side in (before, after))]

    return [
        row("admin page: asked by one address", "admin_asked"),
        row("admin page: admitted (30 in 15 min)", "admin_admitted"),
        row("admin page: most admitted in any second", "admin_a_second"),
        row("heavy queries to the database", "queries"),
        row("wrong passwords tried (5 in 15 min)", "guesses"),
        row("slowest answer to a person, ms", "person_slowest_ms", "{:,.0f}"),
        row("processor time of the backend, s", "cpu_seconds", "{:.1f}"),
        row("periodic tasks: runs that started", "task_runs"),
        row("periodic tasks: starts on top of a run of the same", "task_overlaps"),
        row("periodic tasks: most of one at once", "task_at_once"),
        row("periodic tasks: already running, skipped", "task_skips"),
    ]
