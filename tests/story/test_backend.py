"""The backend's five limits as its clients meet them: four real uvicorn processes on one store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from headgate.gates.door import Door
from tests.story import promises
from tests.story.site import Site
from tests.story.world import World, until

pytestmark = [pytest.mark.store]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("backend")
    with World(folder) as world:
        world.publish()
        with Site(folder / "site", world.store.url, processes=4) as site:
            yield site


def all_at_once(times: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(32) as pool:
        return [found.result() for found in [pool.submit(ask) for _ in range(times)]]


def counted(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def logged_in(client: httpx.Client, name: str) -> dict[str, str]:
    token = client.post("/api/auth/login", json={"name": name, "password": name[::-1]}).json()["token"]
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("address", ["127.0.2.1", "127.0.2.2"])
def test_a_hundred_requests_from_each_address(site: Site, address: str) -> None:
    with site.client(address) as client:
        answers = all_at_once(400, lambda: client.get("/api/contacts"))
    assert counted(answers) == {200: promises.HTTP["general"][0], 429: 300}
    for refused in (answer for answer in answers if answer.status_code == 429):
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["violated-policies"] == ["general"]
        assert int(refused.headers["retry-after"]) > 800
        assert refused.headers["cache-control"] == "no-store"


def test_the_admin_page_has_thirty_of_them_and_asks_the_database_once(site: Site) -> None:
    before = site.questions()
    with site.client("127.0.2.3") as client:
        answers = all_at_once(60, lambda: client.get("/api/admin/statistics"))
        assert counted(answers) == {200: promises.HTTP["admin"][0], 429: 30}
        rest = counted([client.get("/api/contacts") for _ in range(80)])
    assert rest == {200: 70, 429: 10}, "an admin request is a general one too, a refused one is none"
    asked = {what: count - before.get(what, 0) for what, count in site.questions().items()}
    assert set(asked) == {"mails-per-day", "mails-per-tenant", "mails-by-state"}
    assert all(1 <= count <= 4 for count in asked.values()), "once in each process"


def test_campaigns_are_counted_by_user_wherever_they_come_from(site: Site) -> None:
    with site.client("127.0.2.4") as one, site.client("127.0.2.5") as other:
        ada, ben = logged_in(one, "ada"), logged_in(other, "ben")
        turn = cycle([one, other])
        made = all_at_once(30, lambda: next(turn).post("/api/campaigns", json={"title": "t"}, headers=ada))
        assert counted(made) == {201: promises.HTTP["campaign-creation"][0], 429: 10}
        started = all_at_once(16, lambda: next(turn).post("/api/campaigns/7/schedule", headers=ada))
        assert counted(started) == {202: promises.HTTP["campaign-start"][0], 429: 6}
        assert other.post("/api/campaigns", json={"title": "t"}, headers=ben).status_code == 201


def test_parallel_guesses_get_five_and_right_passwords_are_not_counted(site: Site) -> None:
    with site.client("127.0.2.6") as client:
        for _ in range(8):
            logged_in(client, "ada")
        wrong = {"name": "ada", "password": "?"}
        guesses = all_at_once(30, lambda: client.post("/api/auth/login", json=wrong))
        assert counted(guesses) == {401: promises.HTTP["auth"][0], 429: 25}
        right = {"name": "ada", "password": "ada"}
        assert client.post("/api/auth/login", json=right).status_code == 429, "it may not be tried any more"


def test_as_it_was_everything_is_accepted_and_every_look_asks_everything(tmp_path: Path) -> None:
    few = {"TASKFORCE_ROWS": "500"}
    with Site(tmp_path, "redis://127.0.0.1:1", "create_before", more=few) as site, site.client() as client:
        assert counted([client.get("/api/contacts") for _ in range(150)]) == {200: 150}
        assert counted([client.get("/api/admin/statistics") for _ in range(20)]) == {200: 20}
    assert set(site.questions().values()) == {20}


def test_what_the_admin_page_took_is_on_record_and_who_is_killed_says_no_goodbye(tmp_path: Path) -> None:
    with World(tmp_path) as world, closing(Door(world.store.url)) as door:
        world.publish()
        with Site(tmp_path / "site", world.store.url) as site, site.client() as client:
            client.get("/api/contacts")
            for _ in range(3):
                assert client.get("/api/admin/statistics").status_code == 200
            until(lambda: bool(door.read_samples(0).processes), 30, "a first sample")
            site.stop()
            (found,) = door.read_samples(0).processes
            assert (found.kind, found.subject, set(found.requests)) == ("api", "api", {"api/admin"})
            assert sum(asked.count for _, asked in found.requests["api/admin"]) == 3
            assert found.ended
            site.start()
            client.get("/api/contacts")
            until(lambda: len(door.read_samples(0).processes) == 2, 30, "a first sample")
            site.kill()
            assert [each.ended for each in door.read_samples(0).processes if each.instance != found.instance] == [0]
