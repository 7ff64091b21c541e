"""Names, arguments and tracebacks are whatever somebody put into the store: on the page they are only text."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from headgate.model.documents import (
    BudgetDocument,
    HttpDocument,
    HttpMatch,
    HttpRule,
    PathMatch,
    QueueDocument,
    RateDocument,
    TaskDocument,
)
from tests.dashboard.conftest import Opener
from tests.dashboard.fleet import Fleet, wait_until

CORPUS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg/onload=alert(1)>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "</title></style></textarea><iframe srcdoc='<script>parent.alert(1)</script>'>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "&lt;b&gt;&#60;i&#62;",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "a\nevent: full\ndata: {}\n\n",
    "right\u202eto left\u2066",
    "zero\u200bwidth\ufeff\x00\x1b[31m",
    "\U0001f9e8\u0301" * 3,
    "long-" * 400,
)


def harmless(page: Page) -> None:
    """Nothing of the corpus became an element, a handler or a property."""
    assert page.evaluate("document.querySelectorAll('script,iframe,object,embed,style,base').length") == 1
    assert page.evaluate("[...document.images].every(image => image.src.endsWith('/static/mark.svg'))")
    handlers = (
        "[...document.querySelectorAll('*')].some(node => [...node.attributes].some(a => /^on|^srcdoc$/.test(a.name)))"
    )
    assert not page.evaluate(handlers)
    hrefs = page.evaluate("[...document.querySelectorAll('a')].map(link => link.protocol)")
    assert set(hrefs) == {"http:"}
    assert page.evaluate("({}).polluted === undefined && Object.keys(Object.prototype).length === 0")


def shown(text: str) -> str:
    """What the page makes of what hides, turns or breaks a line."""
    unseen = {0x00, 0x0A, 0x1B, 0x200B, 0x202E, 0x2066, 0xFEFF}
    return "".join("\u00b7" if ord(one) in unseen else one for one in text)


@pytest.mark.parametrize("text", CORPUS)
def test_a_hostile_name_is_text_everywhere(look: Opener, fleet: Fleet, text: str) -> None:
    fleet.declare(BudgetDocument(name=f"shop/{text}", total=1))
    fleet.declare(QueueDocument(queue=text, total=1))
    fleet.enqueue(text, 3, "call")
    for job in fleet.client.lrange(f"rq:queue:{text}", 0, -1):
        fleet.client.hset(f"rq:job:{job.decode()}", "description", f"{text}(1)")
    fleet.start(fleet.pod(text, f"{text}-a1b2c3", 2))
    paths = (PathMatch(value=f"/{text}"),)
    rule = HttpRule(
        name=text, key="Header", header=text, rate=RateDocument(limit=1, period_ms=1000), match=HttpMatch(paths=paths)
    )
    fleet.declare(HttpDocument(surface=text, rules=(rule,)))
    fleet.declare(TaskDocument(name=f"shop/{text}", schedule=text, function=text))
    fleet.fail(text, "call", text)
    page = look()
    expect(page.locator("#queues tbody tr")).to_have_count(1)
    assert page.locator(".row-link").inner_text() == shown(text)
    for part in ("#held", "#budgets", "#tasks", "#http", "#workers", "#dead"):
        expect(page.locator(part)).to_contain_text(shown(text)[:40])
    harmless(page)
    page.locator(".row-link").click()
    expect(page.locator("#panel-title")).to_have_text(shown(text))
    expect(page.locator("#panel .jobs li")).to_have_count(1)
    harmless(page)
    page.locator("#panel").get_by_role("link", name="1 job").click()
    if len(text) <= 64:
        expect(page.locator("#panel .dead-list li")).to_have_count(1)
    else:
        expect(page.locator("#panel")).to_contain_text("at most 64 characters")
    harmless(page)


@pytest.mark.parametrize("text", CORPUS)
def test_a_hostile_job_is_text(look: Opener, fleet: Fleet, text: str) -> None:
    fleet.declare(QueueDocument(queue="q"))
    job_id = fleet.fail("q", "call", f"ValueError: {text}", (text, {text: [text]}))
    fleet.client.hset(f"rq:job:{job_id}", mapping={"worker_name": text, "timeout": text, "description": f"{text}(1)"})
    page = look("ada", f"#/job/{job_id}")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("Traceback (most recent call last)")
    wait_until(lambda: panel.locator("pre").count() >= 3)
    harmless(page)
    expect(page.locator("#panel .verdict")).to_contain_text("dead")


def test_a_hostile_filter_and_address_are_text(look: Opener, fleet: Fleet) -> None:
    fleet.declare(QueueDocument(queue="q"))
    page = look()
    page.get_by_label("Filter by name").fill(CORPUS[0])
    expect(page.locator("#queues")).to_contain_text(f"No queue matches “{CORPUS[0]}”")
    for address in (
        "#/queue/<img src=x onerror=alert(1)>",
        "#/job/..%2f..%2fv1",
        "#/dead/%",
        "#/__proto__/x",
        "#/constructor/",
    ):
        page.goto(page.url.split("#")[0] + address)
        harmless(page)


def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(look: Opener, site: str) -> None:
    page = look("")
    answer = page.request.get(site)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert page.request.get(f"{site}/static/app.js").headers["content-type"].startswith("text/javascript")
    for path in ("..%2froutes.py", "../routes.py", "%2e%2e/routes.py", "", "nothing.js"):
        assert page.request.get(f"{site}/static/{path}").status == 404
