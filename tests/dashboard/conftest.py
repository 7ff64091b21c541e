"""A store with the story's fleet, the API over it, and a browser that forgives neither errors nor foreign requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.dashboard.fleet import Fleet, shop
from tests.dashboard.served import chromium_binary, serving


@pytest.fixture
def fleet(valkey_url: str) -> Iterator[Fleet]:
    played = Fleet(valkey_url)
    yield played
    played.close()


@pytest.fixture
def lively(fleet: Fleet) -> Iterator[Fleet]:
    shop(fleet)
    with fleet.alive():
        yield fleet


@pytest.fixture
def site(valkey_url: str, tmp_path: Path) -> Iterator[str]:
    with serving(valkey_url, tmp_path) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Of one module: while Playwright is open, no asynchronous test can run in this process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_binary(), args=["--no-sandbox", "--disable-lcd-text"]
        )
        yield browser
        browser.close()


Opener = Callable[..., Page]


@pytest.fixture
def look(chromium: Browser, site: str) -> Iterator[Opener]:
    """`look(as_, hash, **context)` signs in as that token and waits for the first update."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def listen(page: Page) -> None:
        def said(message: ConsoleMessage) -> None:
            # A refused request is an answer that the page shows; Chromium logs it too.
            if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
                wrong.append(f"{message.type}: {message.text}")

        def asked(request: Request) -> None:
            if not request.url.startswith("http://127.0.0.1:"):
                wrong.append(f"foreign request: {request.url}")

        page.on("console", said)
        page.on("pageerror", lambda error: wrong.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", asked)

    def open_page(as_: str = "ada", hash_: str = "", **context: object) -> Page:
        options = {"viewport": {"width": 1440, "height": 1000}, "reduced_motion": "reduce", **context}
        contexts.append(chromium.new_context(**options))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective))"
        )
        listen(page)
        page.goto(f"{site}/#token={as_}" if as_ else site)
        if as_:
            page.wait_for_selector("body.ready")
        if hash_:
            page.goto(f"{site}/{hash_}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
