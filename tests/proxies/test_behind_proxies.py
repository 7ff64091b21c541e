"""Limits behind real proxies, by the middleware and by /authz: exact, for the true client, no path escapes a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tests.proxies.conftest import ADMIN, GENERAL, Behind
from tests.proxies.wire import Headers, ask

pytestmark = [pytest.mark.store]

_numbers = count(1)


@pytest.fixture
def client() -> str:
    """A loopback address that nobody has asked from yet."""
    number = next(_numbers)
    return f"127.0.{10 + number // 250}.{1 + number % 250}"


def statuses(behind: Behind, client: str, times: int, headers: Headers = ()) -> Counter[int]:
    with ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(ask, behind.port, "/api/items", client, headers) for _ in range(times)]
        return Counter(answer.result().status for answer in asked)


def test_exactly_a_hundred_from_each_address(behind: Behind, client: str) -> None:
    assert statuses(behind, client, 3 * GENERAL) == {200: GENERAL, 429: 2 * GENERAL}
    refused = ask(behind.port, "/api/items", client)
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["ratelimit-policy"] == f'"general";q={GENERAL};w=900'
    other = client.replace("127.0.", "127.1.")
    admitted = ask(behind.port, "/api/items", other)
    assert admitted.status == 200
    if behind.name != "caddy-authz":  # forward_auth passes on the headers of a refusal only
        assert admitted.headers["ratelimit"].startswith(f'"general";r={GENERAL - 1};')


SPOOFS: dict[str, Callable[[int], Headers]] = {
    "one": lambda i: [("X-Forwarded-For", f"10.9.{i}.1")],
    "list": lambda i: [("X-Forwarded-For", f"10.9.{i}.1, 10.8.{i}.1")],
    "two lines": lambda i: [("X-Forwarded-For", f"10.9.{i}.1"), ("X-Forwarded-For", f"10.8.{i}.1")],
    "proxy at the end": lambda i: [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", f"10.8.{i}.1, 127.0.0.1")],
    "port": lambda i: [("x-forwarded-for", f"10.9.{i}.1:4711"), ("X-Real-IP", f"10.7.{i}.1")],
    "other names": lambda i: [("Forwarded", f"for=10.9.{i}.1"), ("True-Client-IP", f"10.9.{i}.1")],
    "underscores": lambda i: [("X_Forwarded_For", f"10.9.{i}.1"), ("X-Forwarded-For", "")],
    "garbage": lambda i: [("X-Forwarded-For", f"unknown, garbage{i}, ::ffff:10.9.{i}.1")],
    "long": lambda i: [("X-Forwarded-For", ", ".join([f"10.9.{i}.1"] * 300))],
}


@pytest.mark.parametrize("spoof", SPOOFS.values(), ids=SPOOFS.keys())
def test_a_spoofed_header_gives_no_further_requests(
    behind: Behind, client: str, spoof: Callable[[int], Headers]
) -> None:
    """Each request claims to be somebody else; all of them are one client."""
    answers = Counter(ask(behind.port, "/api/items", client, spoof(i)).status for i in range(GENERAL + 10))
    assert answers == {200: GENERAL, 429: 10}


TRICKS = [
    "/api/admin", "/api/admin/", "/api/admin/x", "//api/admin", "/api//admin", "/api/admin//", "/api/./admin",
    "/api/x/../admin", "/api/%2e/admin", "/api/x/%2e%2e/admin", "/api%2Fadmin", "/%61pi/%61dmin", "/api/admin%2Fx",
    "/api/admin%2f..%2fitems", "/api/%61dmin?x=1", "/api/admin;v=1", "/api/admin%00", "/api/admin%20", "/api/admin%3Fx",
    "/api/admin%23x", "/API/admin", "/api/ADMIN", "/api%252Fadmin", "/api\\admin", "/api/items/../admin",
    "http://localhost/api/admin", "http://other.example/api/admin", "http://localhost//api/admin",
]  # fmt: skip


def test_no_spelling_of_a_path_escapes_its_rule(behind: Behind, client: str) -> None:
    """Whatever the proxy and the router make of it: what reaches the admin route has been counted as that."""
    reached: Counter[str] = Counter()
    for target in TRICKS * 2:
        answer = ask(behind.port, target, client)
        assert answer.status < 500, target
        if answer.status == 200 and b'"route":"admin"' in answer.body:
            reached[target] += 1
    assert reached["/api/admin"], "the plain one does reach it"
    if behind.asks:  # it knows no router: a path counts for every rule that any reading of it matches, reached or not
        assert reached.total() <= ADMIN, reached
    else:
        assert reached.total() == ADMIN, reached
    assert ask(behind.port, "/api/admin", client).status == 429


@pytest.mark.parametrize("target", TRICKS)
def test_each_spelling_alone(behind: Behind, client: str, target: str) -> None:
    """As often as it is asked, alone: never more than the rule lets through."""
    answers = [ask(behind.port, target, client) for _ in range(ADMIN + 3)]
    reached = sum(answer.status == 200 and b'"route":"admin"' in answer.body for answer in answers)
    assert reached in (0, ADMIN)
