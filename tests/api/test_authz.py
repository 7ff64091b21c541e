"""Checks for proxies: the original request by each sort's own headers, the answers each understands, reports."""

import asyncio

import pytest

from headgate.gates.http import PROXY_INSTANCE
from headgate.gates.keys import Keys
from headgate.gates.verbs import Owner
from headgate.model.documents import (
    BudgetDocument,
    BudgetShare,
    HttpDocument,
    HttpMatch,
    HttpRule,
    PathMatch,
    RateDocument,
)
from headgate_api.proxies import signed

pytestmark = pytest.mark.store
MINUTE_MS = 60_000
TRICKS = (
    "//admin",
    "/%61dmin",
    "/x/..%2fadmin",
    "/ADMIN/",
    "/admin;v=1",
    "/admin/%2e/",
    "/x/../admin?a=b",
    "/admin%2Fx",
)
SORTS = ("nginx", "haproxy", "traefik", "caddy", "envoy")


@pytest.fixture
def web(door):
    document = HttpDocument(
        surface="web",
        trusted_proxies=("10.0.0.0/8",),
        rules=(
            HttpRule(name="general", rate=RateDocument(limit=3, period_ms=MINUTE_MS)),
            HttpRule(
                name="admin", match=HttpMatch(paths=(PathMatch(value="/admin"),)),
                rate=RateDocument(limit=1, period_ms=MINUTE_MS),
            ),
            HttpRule(
                name="sign-in", count="Failures", rate=RateDocument(limit=2, period_ms=MINUTE_MS),
                match=HttpMatch(methods=("POST",), paths=(PathMatch(value="/login"),)),
            ),
            HttpRule(name="export", match=HttpMatch(paths=(PathMatch(value="/export"),)), in_flight=1),
        ),
    )  # fmt: skip
    door.publish(document, Owner("shop/web", "uid-9", 1))
    return document


async def ask(api, sort, target="/x", method="GET", peer="192.0.2.1", **more):
    """A check as that proxy sends it. `more`: token (None: without), headers, forwarded."""
    token, forwarded = more.get("token", "edge"), more.get("forwarded")
    sent = dict(more.get("headers", ()))
    if token:
        sent["X-Headgate-Token"] = token
    if sort == "envoy":
        sent |= {"Host": "shop.example", "X-Forwarded-For": ", ".join(filter(None, (forwarded, peer)))}
        sent |= {"X-Headgate-Reports": "true"}
        return await api.client.request(method, f"http://api/authz/web{target}", headers=sent)
    if sort in ("nginx", "haproxy"):
        sent |= {"X-Original-Method": method, "X-Original-URI": target, "X-Original-Client": peer}
        sent |= {"X-Original-Host": "shop.example"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
    else:
        sent |= {"X-Forwarded-Method": method, "X-Forwarded-Uri": target, "X-Forwarded-Host": "shop.example"}
        sent |= {"X-Forwarded-For": ", ".join(filter(None, (forwarded, peer)))}
    return await api.client.request(
        "GET", f"/authz/web?proxy={sort}&reports={more.get('reports', 'true')}", headers=sent
    )


@pytest.mark.parametrize("sort", SORTS)
async def test_each_sort_is_limited_by_client_and_told_in_its_own_way(api, web, sort):
    for _ in range(3):
        answer = await ask(api, sort)
        assert answer.status_code == 200, answer.text
        assert answer.headers["ratelimit"].startswith('"general"')
    answer = await ask(api, sort)
    assert answer.status_code == (403 if sort == "nginx" else 429)
    assert answer.headers["x-rl-status"] == "429"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["violated-policies"] == ["general"]
    assert (await ask(api, sort, peer="192.0.2.2")).status_code == 200


async def test_the_first_checks_of_a_process_wait_for_the_policy(api, web):
    answers = await asyncio.gather(*(ask(api, "nginx") for _ in range(40)))
    assert sum(answer.status_code == 200 for answer in answers) == 3


@pytest.mark.parametrize("sort", SORTS)
async def test_forwarded_addresses_are_walked_from_the_right(api, web, sort):
    for n in range(3):
        assert (await ask(api, sort, peer="10.1.1.1", forwarded=f"198.51.100.{n}, 203.0.113.9")).status_code == 200
    assert (await ask(api, sort, peer="10.1.1.1", forwarded="203.0.113.9")).status_code in (403, 429)
    assert (await ask(api, sort, peer="203.0.113.9", forwarded="10.0.0.1")).status_code in (403, 429)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "trick",
    ["//admin", "/%61dmin", "/x/..%2fadmin", "/ADMIN/", "/admin;v=1", "/admin/%2e/", "/x/../admin?a=b", "/admin%2Fx"],
)
async def test_no_way_of_writing_a_path_escapes_a_rule(api, web, sort, trick):
    if sort == "envoy" and ".." in trick and "%" not in trick:
        pytest.skip("the client of this test resolves dots itself")
    assert (await ask(api, sort, trick)).status_code == 200
    assert (await ask(api, sort, "/admin")).headers["x-rl-status"] == "429"


@pytest.mark.parametrize("sort", SORTS)
async def test_without_the_proxys_own_token_nothing_is_answered(api, web, sort):
    for token in (None, "nobody", "operator"):
        answer = await ask(api, sort, token=token)
        assert answer.status_code == (403 if token == "operator" else 401)
    for token in (None, "nobody"):
        stolen = {"Authorization": "Bearer edge"}
        assert (await ask(api, sort, token=token, headers=stolen)).status_code == 401
    assert (await ask(api, sort)).headers["ratelimit"].startswith('"general";r=2')


@pytest.mark.parametrize("sort", ["nginx", "haproxy", "traefik", "caddy"])
async def test_a_check_without_the_original_request_is_refused(api, web, sort):
    answer = await api.client.get(f"/authz/web?proxy={sort}", headers={"X-Headgate-Token": "edge"})
    assert answer.status_code == 400
    assert "must carry" in answer.json()["detail"]


async def test_the_sort_is_never_taken_from_the_client(api, web):
    """Envoy passes a client's headers and query on: they cannot turn its check into another one."""
    headers = {"X-Original-URI": "/free", "X-Original-Method": "GET", "X-Original-Client": "192.0.2.77"}
    assert (await ask(api, "envoy", "/admin?proxy=nginx", headers=headers)).status_code == 200
    assert (await ask(api, "envoy", "/admin", headers=headers)).status_code == 429
    assert (await api.client.get("/authz/web", headers={"X-Headgate-Token": "edge"})).status_code == 422
    assert (await api.client.get("/authz/web?proxy=envoy", headers={"X-Headgate-Token": "edge"})).status_code == 400


async def report(api, answer, status):
    body = {"id": answer.headers["x-headgate-report"], "status": status}
    return await api.client.post("/report", json=body, headers={"X-Headgate-Token": "edge"})


async def test_failures_are_reported_once_and_successes_forgotten(api, web):
    for _ in range(3):
        allowed = await ask(api, "nginx", "/login", "POST", peer="192.0.2.8")
        assert allowed.status_code == 200
        assert (await report(api, allowed, 200)).status_code == 200
        assert (await report(api, allowed, 200)).status_code == 409
    failed = [await ask(api, "traefik", "/login", "POST", peer="192.0.2.9") for _ in range(2)]
    assert [one.status_code for one in failed] == [200, 200]
    assert (await report(api, failed[0], 401)).status_code == 200
    assert (await ask(api, "traefik", "/login", "POST", peer="192.0.2.9")).headers["x-rl-status"] == "429"


async def test_a_place_comes_back_with_its_report(api, web):
    first = await ask(api, "caddy", "/export", peer="192.0.2.20")
    assert first.status_code == 200
    busy = await ask(api, "caddy", "/export", peer="192.0.2.20")
    assert (busy.status_code, busy.headers["x-rl-status"]) == (503, "503")
    assert (await ask(api, "envoy", "/export", peer="192.0.2.20")).status_code == 429
    assert (await report(api, first, 200)).json()["settled"] >= 1
    assert (await ask(api, "caddy", "/export", peer="192.0.2.20")).status_code == 200


async def test_a_report_of_another_version_is_refused_in_words(api, web, raw):
    """During a rolling update one replica signs what the other one opens."""
    assert (await ask(api, "nginx")).status_code == 200
    secret = raw.get(Keys("rq").http_secret)
    for content in ({"surface": "web", "request": "r1", "gone": 1}, {"surface": "web", "places": None, "stamp": 1}):
        body = {"id": signed(content, secret), "status": 200}
        answer = await api.client.post("/report", json=body, headers={"X-Headgate-Token": "edge"})
        assert answer.status_code == 404
        assert "Another version" in answer.json()["detail"]


async def test_a_forged_report_is_not_known(api, web):
    allowed = await ask(api, "nginx", "/login", "POST")
    report_id = allowed.headers["x-headgate-report"]
    body, mac = report_id.split(".")
    headers = {"X-Headgate-Token": "edge"}
    for forged in (
        body,
        f"{body}.{'0' * 32}",
        f"{body[:-4]}AAAA.{mac}",
        "x",
        ".",
        "e30.x",
        "W10.x",
        "é.é",
        f"{mac}.{body}",
    ):
        answer = await api.client.post("/report", json={"id": forged, "status": 200}, headers=headers)
        assert answer.status_code == 404, forged
    assert (await api.client.post("/report", json={"id": report_id, "status": 200})).status_code == 401


async def test_a_proxy_that_reports_nothing_says_so_to_the_operator(api, web, door):
    """Rules that need to know how a request ended are refused for such a surface."""
    answer = await ask(api, "nginx", "/login", "POST", reports="false")
    assert answer.status_code == 200
    assert "x-headgate-report" not in answer.headers
    names = await instances(door, 1)
    assert all(name.startswith(PROXY_INSTANCE) for name in names)
    assert (await ask(api, "nginx", "/login", "POST")).headers["x-headgate-report"]
    names = await instances(door, 2)
    assert sum(name.startswith(PROXY_INSTANCE) for name in names) == 1


async def instances(door, count):
    async with asyncio.timeout(20):
        while len(found := door.inspect_http()["web"].instances) < count:  # noqa: ASYNC110 - another process' doing
            await asyncio.sleep(0.05)
    return found


async def test_a_surface_nobody_declared_lets_pass(api):
    answer = await ask(api, "nginx")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers


async def test_a_budget_is_shared_with_jobs(api, door):
    door.publish(BudgetDocument(name="shop/db", total=1), Owner("shop/db", "uid-3", 1))
    share = BudgetShare(name="shop/db")
    rule = HttpRule(name="heavy", budgets=(share,))
    door.publish(HttpDocument(surface="web", rules=(rule,)), Owner("shop/web", "uid-9", 1))
    first = await ask(api, "haproxy")
    assert first.status_code == 200
    assert (await ask(api, "haproxy", peer="192.0.2.5")).status_code == 503
    assert (await report(api, first, 500)).status_code == 200
    assert (await ask(api, "haproxy", peer="192.0.2.5")).status_code == 200
