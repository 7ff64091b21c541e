"""The page as pictures, to be looked at: desktop and phone, light and dark. They are kept beside the test's results.

`HEADGATE_PICTURES=docs/pictures` writes them where docs/dashboard.md shows them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from headgate.model.documents import QueueDocument, RateDocument
from tests.dashboard.conftest import Opener
from tests.dashboard.fleet import FLEET, Fleet, front, wait_until

DESKTOP: dict[str, Any] = {"viewport": {"width": 1180, "height": 740}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
MOST_BYTES = 150_000
LEAST_CONTRAST = 4.5


@pytest.fixture
def album(request: pytest.FixtureRequest) -> Path:
    wanted = os.environ.get("HEADGATE_PICTURES")
    folder = Path(wanted) if wanted else request.config.rootpath / ".artefacts" / "dashboard"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take(page: Page, path: Path) -> None:
    page.screenshot(path=path)
    assert 5_000 < path.stat().st_size <= MOST_BYTES, path


def work(page: Page, fleet: Fleet, rounds: int) -> None:
    """Some jobs end and others start, second by second, so that the line moves."""
    for number in range(rounds):
        for index, pod in enumerate(fleet.pods):
            if (number + index) % 3 == 0 and pod.running:
                fleet.finish(pod, next(iter(pod.running)))
            elif (number + index) % 3 == 2:
                fleet.start(pod, 1)
        page.wait_for_timeout(1000)
    for pod in sorted(fleet.pods, key=lambda pod: pod.queue):
        fleet.start(pod)
    page.wait_for_timeout(1500)


@pytest.mark.slow
def test_pictures(look: Opener, lively: Fleet, album: Path) -> None:
    front(lively)
    first = look("ada", color_scheme="light", **DESKTOP)
    for name, _, _, function in FLEET:
        lively.enqueue(name, 30 if function else 0, function or "x")
    work(first, lively, 40)
    take(first, album / "desktop-light.png")
    first.emulate_media(color_scheme="dark")
    take(first, album / "desktop-dark.png")
    first.locator(".row-link", has_text="emails").click()
    expect(first.locator("#panel .verdict")).to_contain_text("mail-provider")
    take(first, album / "queue-dark.png")
    first.emulate_media(color_scheme="light")
    first.goto(first.url.split("#")[0] + "#/dead")
    first.locator(".dead-list a").first.click()
    expect(first.locator("#panel pre")).to_have_count(3)
    take(first, album / "job-light.png")
    for scheme in ("light", "dark"):
        phone = look("ada", color_scheme=scheme, **PHONE)
        wait_until(lambda phone=phone: phone.locator("#queues tbody tr").count() == 9)
        phone.wait_for_timeout(600)
        take(phone, album / f"phone-{scheme}.png")
    look("").wait_for_selector("dialog[open]")


@pytest.mark.slow
def test_200_queues_and_1000_slots_stay_quick(look: Opener, fleet: Fleet, album: Path) -> None:
    for index in range(200):
        queue = f"tenant-{index:03d}-mailings"
        rate = RateDocument(limit=600, period_ms=60_000)
        fleet.declare(QueueDocument(queue=queue, per_worker=5, total=5, rate_total=rate))
        fleet.enqueue(queue, 2 + index % 7, "taskforce.campaigns.send_batch")
        fleet.start(fleet.pod(queue, f"{queue}-worker-{index:08x}-a1b2c3", 5))
    with fleet.alive():
        page = look("ada", **DESKTOP)
        wait_until(lambda: page.locator("#queues tbody tr").count() == 200)
        assert page.locator("#workers .pod .slot").count() == 1000
        page.evaluate(
            """window.longest = 0; new PerformanceObserver(list => list.getEntries().forEach(
                 entry => window.longest = Math.max(window.longest, entry.duration))).observe({type: 'longtask'})"""
        )
        page.wait_for_timeout(4000)
        print("longest task (ms)", page.evaluate("window.longest"))
        page.keyboard.press("/")
        page.keyboard.type("tenant-19")
        expect(page.locator("#queues tbody tr")).to_have_count(10)
        take(page, album / "many.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_small_text_can_be_read(look: Opener, lively: Fleet, scheme: str) -> None:
    """WCAG AA: 4.5 to 1, against what is behind it."""
    front(lively)
    page = look("ada", color_scheme=scheme, **DESKTOP)
    wait_until(lambda: page.locator("#queues tbody tr").count() == 9)
    poor = page.evaluate((Path(__file__).parent / "contrast.js").read_text(), LEAST_CONTRAST)
    assert poor == []
