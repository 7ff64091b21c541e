"""What applies is what the router dispatches: matched side by side with Starlette's own router."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Route

from headgate.model.documents import HttpDocument, HttpMatch, HttpRule, PathMatch, RateDocument
from headgate_api.gate.matching import Matcher, candidates, host_name, resolved, routed
from headgate_api.gate.snapshot import CACHED, Snapshot

RATE = RateDocument(limit=5, period_ms=1000)


def document(*matches: HttpMatch) -> HttpDocument:
    rules = tuple(HttpRule(name=f"r{index}", match=match, rate=RATE) for index, match in enumerate(matches))
    return HttpDocument(surface="api", rules=rules)


def matcher(*matches: HttpMatch) -> Matcher:
    return Matcher(document(*matches))


def paths(*values: tuple[str, str]) -> HttpMatch:
    return HttpMatch(paths=tuple(PathMatch(type=kind, value=value) for kind, value in values))  # type: ignore[arg-type]


ADMIN = matcher(paths(("Prefix", "/api/admin")), HttpMatch())


@pytest.mark.parametrize(
    ("path", "applies"),
    [
        ("/api/admin", True),
        ("/api/admin/", True),
        ("/api/admin/users/7", True),
        ("/api/admin\n", True),
        ("/api/admin/\nx", True),
        ("/api/administrator", False),
        ("/api/admin2", False),
        ("/api", False),
        ("/API/admin", False),
        ("//api/admin", False),
    ],
)
def test_prefixes_end_at_segments(path: str, applies: bool) -> None:
    assert ADMIN.rules("GET", path) == ((0, 1) if applies else (1,))


@pytest.mark.parametrize(
    ("template", "route"),
    [
        ("/items/{id}", "/items/{id}"),
        ("/items/{id}/parts/{part}", "/items/{id}/parts/{part}"),
        ("/files/{rest:path}", "/files/{rest:path}"),
        ("/a.b/{x}", "/a.b/{x}"),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/items/7", "/items/", "/items/7/", "/items/7\n", "/items/a b", "/items/%41", "/items/7/parts/9",
        "/items//parts/9", "/items/7/parts/", "/files/", "/files/a/b", "/files/a\nb", "/files", "/a.b/1", "/axb/1",
        "/items/é", "/items/?",
    ],
)  # fmt: skip
def test_templates_match_what_the_router_dispatches(template: str, route: str, path: str) -> None:
    """Every path that Starlette hands to the route is counted by the rule."""
    dispatched, _ = Route(route, lambda request: PlainTextResponse()).matches(scope(path))
    if dispatched is Match.FULL:
        assert matcher(paths(("Template", template))).rules("GET", path) == (0,)


def test_an_encoded_newline_does_not_escape_an_exact_rule() -> None:
    """Starlette's patterns end with `$`, which also stands before a last newline: `/login%0A` is dispatched."""
    login = matcher(paths(("Exact", "/login")))
    assert Route("/login", lambda request: PlainTextResponse()).matches(scope("/login\n"))[0] is Match.FULL
    assert login.rules("POST", "/login\n") == (0,)
    assert login.rules("POST", "/login/") == ()


def scope(path: str, root_path: str = "", method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": []}


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/users", "", "/users"),
        ("/api/users", "/api", "/users"),
        ("/users", "/api", "/users"),
        ("/apiusers", "/api", "/apiusers"),
        ("/api", "/api", "/"),
    ],
)
def test_root_paths_are_taken_off_as_the_router_does(path: str, root: str, expected: str) -> None:
    assert routed(scope(path, root)) == expected
    assert Request(scope(path, root)).url.path  # Starlette accepts the same scope


@pytest.mark.parametrize(
    ("method", "applies"), [("GET", True), ("HEAD", True), ("get", True), ("POST", False), ("BREW", False)]
)
def test_head_counts_as_get_and_case_does_not_matter(method: str, applies: bool) -> None:
    assert bool(matcher(HttpMatch(methods=("GET",))).rules(method, "/")) is applies


@pytest.mark.parametrize(
    ("host", "applies"),
    [
        ("api.example.com", True),
        ("API.example.com:8443", True),
        ("api.example.com.", True),
        ("", True),
        ("a b", True),
        ("x.wild.example.com", True),
        ("wild.example.com", False),
        ("evil.com", False),
        ("api.example.com.evil.com", False),
        ("[::1]:8000", False),
    ],
)
def test_hosts(host: str, applies: bool) -> None:
    found = matcher(HttpMatch(hosts=("api.example.com", "*.wild.example.com"))).rules("GET", "/", host)
    assert bool(found) is applies


def test_host_names() -> None:
    assert host_name("[2001:DB8::1]:80") == "[2001:db8::1]"
    assert host_name("user@host") == ""


TRICKS = [
    "/api/admin", "//api//admin", "/api/./admin", "/api/x/../admin", "/api/%2e%2e/api/admin", "/api%2Fadmin",
    "/api%252Fadmin", "/api/admin;jsessionid=1", "/api;x/admin", "\\api\\admin", "/api\\admin", "/api/admin%00",
    "/api/admin%00.js", "/API/Admin", "/api/admin/", "/api/admin?x=1", "/api/admin%3Fx", "/api/admin%23x",
    "/api/admin#x", "http://evil.example/api/admin", "HTTP://evil.example//api/./admin?x", "/x/..%2fapi/admin",
    "/%61pi/%61dmin", "/api/admin%20", "/api/admin%0a", "/api//../api/admin", "/api/admin/..;/admin", "/./api/admin",
    "/api/.//admin", "/api%5Cadmin", "/%2Fapi/admin",
]  # fmt: skip


@pytest.mark.parametrize("target", TRICKS)
def test_no_way_of_writing_a_target_escapes_a_rule(target: str) -> None:
    exact = matcher(paths(("Exact", "/api/admin")))
    assert exact.union("GET", candidates(target)) == (0,), sorted(candidates(target))


def test_readings_of_a_hostile_target_are_bounded() -> None:
    for target in ("/%25" * 200, "/a;b" * 300, "/../." * 500, "\\%2f" * 300, "/" * 4000):
        assert len(candidates(target)) < 2048


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/.hidden", "/.hidden"),
    ],
)
def test_dot_segments(path: str, expected: str) -> None:
    assert resolved(path) == expected


def test_a_million_paths_do_not_fill_the_memory() -> None:
    snapshot = Snapshot(1, document(HttpMatch()), b"1" * 32)
    for number in range(CACHED * 2 + 7):
        assert snapshot.route(("GET", f"/{number}", "")) is not None
    snapshot.route(("GET", "/" + "x" * 5000, ""))
    assert len(snapshot.routes) <= CACHED
