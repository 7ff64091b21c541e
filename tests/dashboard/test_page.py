"""The page in a real Chromium over a real store: what it shows moves, what it offers works, and nothing leaks out."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Page, expect
from rq.job import Job

from tests.dashboard.conftest import Opener
from tests.dashboard.fleet import Fleet, wait_until
from tests.dashboard.served import TOKENS


def row(page: Page, queue: str) -> str:
    found = page.locator("#queues tbody tr").filter(has=page.locator(".row-link", has_text=queue))
    return re.sub(r"\s+", " ", found.inner_text())


def test_what_runs_and_waits_moves_without_a_reload(look: Opener, lively: Fleet) -> None:
    page = look()
    expect(page.locator("h1")).to_have_text("At most 25 jobs at once")
    wait_until(lambda: "5 of 5" in row(page, "campaigns"))
    assert "its total" in row(page, "campaigns")
    assert "41" in row(page, "campaigns")
    pod = next(pod for pod in lively.pods if pod.queue == "campaigns")
    for slot in pod.slot_names()[:3]:
        lively.finish(pod, slot)
    wait_until(lambda: "2 of 5" in row(page, "campaigns"))
    lively.enqueue("sync", 6)
    wait_until(lambda: "6" in row(page, "sync"))
    assert lively.start(pod) >= 1
    wait_until(lambda: "2 of 5" not in row(page, "campaigns"))


def test_a_held_queue_says_by_what_and_what_waits(look: Opener, lively: Fleet) -> None:
    page = look()
    held = page.locator("#held li", has_text="mail-provider")
    expect(held).to_contain_text("7 of 9 running, 2 kept for HTTP")
    expect(held).to_contain_text("campaigns 5, follow-ups 2")
    expect(held).to_contain_text("holds back")
    held.get_by_role("link", name="emails").click()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("Held by mail-provider (7 of 9 running, 2 kept for HTTP)")
    expect(panel).to_contain_text("7 jobs wait")


def test_a_dead_job_is_read_and_goes_back_into_its_queue(look: Opener, lively: Fleet) -> None:
    job_id = lively.fail("exports", "taskforce.reports.export", "ValueError: no such tenant", ("acme", 7))
    page = look()
    page.locator("#dead a").click()
    panel = page.locator("#panel")
    expect(panel.locator(".reason")).to_have_text("ValueError: no such tenant")
    panel.get_by_role("link", name="taskforce.reports.export").click()
    expect(panel).to_contain_text("Traceback (most recent call last):")
    expect(panel.locator("pre").first).to_have_text('"acme"\n7')
    panel.get_by_role("button", name="Requeue").click()
    wait_until(lambda: Job.fetch(job_id, connection=lively.client).get_status() == "queued")
    expect(panel.locator(".verdict")).to_contain_text("queued")
    expect(page.locator("#dead")).to_contain_text("None.")


def test_an_override_is_set_counts_down_holds_and_is_lifted(look: Opener, lively: Fleet) -> None:
    page = look("ada", "#/queue/sync")
    panel = page.locator("#panel")
    panel.get_by_label("reason").fill("the provider is <b>slow</b>")
    panel.get_by_role("button", name="Set override").click()
    expect(panel.locator(".said").first).to_contain_text("Say what changes")
    panel.get_by_label("at most at once").fill("1")
    panel.get_by_role("button", name="Set override").click()
    expect(panel).to_contain_text("at most 1 running")
    expect(panel).to_contain_text(re.compile(r"ends in (1 h|60 min|59 min)"))
    expect(page.locator("#overrides")).to_contain_text("“the provider is <b>slow</b>”")
    state = lively.door.inspect().queues["sync"]
    assert state.override
    assert (state.override.document.total, state.override.by) == (1, "ada")
    expect(page.locator("h1")).to_have_text("At most 23 jobs at once")
    panel.get_by_role("button", name="Lift it now").click()
    expect(page.locator("#overrides")).to_contain_text("None in force")
    assert lively.door.inspect().queues["sync"].override is None


def test_a_waiting_job_is_canceled_after_a_second_thought(look: Opener, lively: Fleet) -> None:
    job = lively.enqueue("campaigns")[0]
    page = look("ada", f"#/job/{job.id}")
    panel = page.locator("#panel")
    expect(panel.locator(".verdict")).to_contain_text("41 jobs before it in queue campaigns")
    panel.get_by_role("button", name="Cancel").click()
    panel.get_by_role("button", name="Sure?").click()
    wait_until(lambda: job.get_status() == "canceled")
    expect(panel.locator(".verdict")).to_contain_text("canceled")


def test_read_only_sees_no_payload_and_no_button(look: Opener, lively: Fleet) -> None:
    job_id = lively.fail("exports", "taskforce.reports.export", "ValueError: ada@example.com", ("ada@example.com",))
    page = look("lookout", f"#/job/{job_id}")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("<needs scope operate>")
    expect(page.locator("#who")).to_contain_text("read only")
    assert "ada@example.com" not in page.content()
    assert panel.get_by_role("button").count() == 0
    page.goto(page.url.split("#")[0] + "#/queue/sync")
    expect(panel).to_contain_text("Setting one needs the scope operate.")


def test_it_asks_for_a_token_refuses_a_wrong_one_and_signs_out(look: Opener, lively: Fleet, site: str) -> None:
    page = look("")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("alert")).to_have_text("No such token.")
    page.get_by_label("Token").fill("lookout")
    page.keyboard.press("Enter")
    page.wait_for_selector("body.ready")
    cookie = page.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["name"]) == (True, "Strict", "headgate_session")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.context.cookies() == []


def test_a_token_in_a_link_leaves_the_address(look: Opener, lively: Fleet) -> None:
    page = look("ada")
    assert "ada" not in page.url


def test_another_site_can_change_nothing_with_the_cookie(site: str, lively: Fleet) -> None:
    for token in TOKENS:
        with httpx.Client(base_url=site, cookies={"headgate_session": token}) as client:
            body = {"total": 1, "seconds": 60, "reason": "r"}
            assert client.put("/v1/queues/sync/override", json=body).status_code == 401, "without the page's header"
            wanted = 200 if token == "ada" else 403
            headers = {"X-Headgate-Page": "1"}
            assert client.put("/v1/queues/sync/override", json=body, headers=headers).status_code == wanted
            assert client.get("/v1/queues").status_code == 200


def test_the_keyboard_is_enough(look: Opener, lively: Fleet) -> None:
    page = look()
    page.keyboard.press("/")
    expect(page.get_by_label("Filter by name")).to_be_focused()
    page.keyboard.type("follow")
    expect(page.locator("#queues tbody tr")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".row-link", has_text="follow-ups")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.locator("#panel-title")).to_have_text("follow-ups")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('panel').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(".row-link", has_text="follow-ups")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator("#queues tbody tr")).to_have_count(9)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#panel-title")).to_have_text("Dead jobs")


def test_focus_stays_while_rows_change(look: Opener, lively: Fleet) -> None:
    page = look()
    link = page.locator(".row-link", has_text="sync")
    link.focus()
    lively.enqueue("sync", 3)
    wait_until(lambda: "3" in row(page, "sync"))
    expect(link).to_be_focused()


def test_an_empty_store_tells_the_next_command(look: Opener) -> None:
    page = look()
    expect(page.locator("#queues")).to_contain_text("headgate publish policies/")
    expect(page.locator("#workers")).to_contain_text("headgate worker QUEUE")
    expect(page.locator("#http")).to_contain_text("GateMiddleware")


def test_a_phone_has_no_sideways_scroll_and_a_panel_of_its_own(look: Opener, lively: Fleet) -> None:
    page = look("ada", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    wait_until(lambda: "5 of 5" in row(page, "campaigns"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    cut = "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth)"
    assert page.evaluate(f"{cut}.map(one => one.className)") == []
    page.locator(".row-link", has_text="campaigns").tap()
    expect(page.locator("#panel")).to_be_visible()
    assert page.locator("#panel").bounding_box()["width"] == 360  # type: ignore[index]
    page.get_by_role("link", name="Close").tap()
    expect(page.locator("#panel")).to_be_hidden()
