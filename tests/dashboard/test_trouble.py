"""When the store or the API goes away: the page keeps what it knew, says since when, and comes back by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from headgate.gates.verbs import LEASE_MS
from tests.dashboard.conftest import Opener
from tests.dashboard.fleet import Fleet, shop, wait_until
from tests.dashboard.served import serving
from tests.stores import StoreServer, free_port, valkey_binary


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[StoreServer]:
    server = StoreServer(valkey_binary(), tmp_path, "--appendonly", "yes", "--dir", str(tmp_path)).start()
    yield server
    server.kill()


@pytest.fixture
def site(own_store: StoreServer, tmp_path: Path) -> Iterator[str]:
    with serving(own_store.url, tmp_path) as address:
        yield address


def test_an_unreachable_store_keeps_the_last_rows_under_a_banner(look: Opener, own_store: StoreServer) -> None:
    fleet = Fleet(own_store.url)
    shop(fleet)
    fleet.close()
    page = look()
    expect(page.locator("#queues tbody tr")).to_have_count(9)
    own_store.kill()
    expect(page.locator("#notices")).to_contain_text(
        re.compile(r"The store does not answer since .*what was known then")
    )
    expect(page.locator("#pulse")).to_have_text("store unreachable")
    expect(page.locator("#queues tbody tr")).to_have_count(9)
    later = look()
    expect(later.locator("#notices")).to_contain_text("The store does not answer")
    expect(later.locator("#queues tbody tr")).to_have_count(9)
    own_store.start()
    expect(page.locator("#pulse")).to_have_text(re.compile("live|quarantine"))
    expect(page.locator("#notices")).not_to_contain_text("does not answer")


def test_a_quarantine_is_announced_with_its_end(look: Opener, own_store: StoreServer) -> None:
    fleet = Fleet(own_store.url)
    shop(fleet)
    page = look()
    expect(page.locator("#pulse")).to_have_text("live")
    now = fleet.door.inspect().now
    fleet.client.hset("rq:hg:meta", "quarantine_until", now + LEASE_MS)
    expect(page.locator("#notices")).to_contain_text(re.compile(r"Quarantine: .* it opens in 1\d s"))
    fleet.client.hdel("rq:hg:meta", "quarantine_until")
    expect(page.locator("#notices")).not_to_contain_text("Quarantine")
    fleet.close()


def test_the_page_comes_back_after_the_api_did(look: Opener, own_store: StoreServer, tmp_path: Path) -> None:
    port = free_port()
    folder = tmp_path / "second"
    folder.mkdir()
    with serving(own_store.url, folder, port) as address:
        page = look("")
        page.goto(f"{address}/#token=ada")
        page.wait_for_selector("body.ready")
    expect(page.locator("#notices")).to_contain_text("No word from the API since")
    expect(page.locator("#pulse")).to_have_text("reconnecting")
    with serving(own_store.url, folder, port):
        expect(page.locator("#pulse")).to_have_text("live", timeout=20_000)
        expect(page.locator("#notices")).to_be_empty()


def test_a_silent_worker_turns_its_squares_red(look: Opener, own_store: StoreServer) -> None:
    fleet = Fleet(own_store.url)
    shop(fleet)
    fleet.close()
    page = look()
    wait_until(lambda: page.locator("#workers .slot[data-late][data-job]").count() >= 16, seconds=20)
