"""Headers and problem documents: well formed whatever a policy is called, and silent about people and paths."""

from __future__ import annotations

import json
import re

import pytest

from headgate.gates.http import Denied
from headgate.model.documents import HttpRule, RateDocument
from headgate_api.gate.denials import CACHED, Denials
from headgate_api.gate.headers import LimitHeaders, quoted, retry_after, seconds
from headgate_api.gate.identity import GLOBAL, Identities
from headgate_api.gate.problems import quota_exceeded, reduced_capacity, timed_out, too_large
from headgate_api.gate.refusal_log import PER_SECOND, RefusalLog

HOSTILE = 'a"b\\c\r\nSet-Cookie: x=1\0é, "z";r=9'
ITEM = re.compile(rb'"(?:[ !#-\[\]-~]|\\["\\])*"(?:;[a-z]+=\d+)*')


def rule(name: str, limit: int = 100, period_ms: int = 900_000) -> HttpRule:
    return HttpRule(name=name, rate=RateDocument(limit=limit, period_ms=period_ms))


def test_the_draft_s_own_form() -> None:
    headers = LimitHeaders([(0, rule("general")), (2, rule("auth", 5)), (1, HttpRule(name="places", in_flight=3))])
    assert headers.indexes == (0, 2)
    assert headers.of((95, 9, 0, 894)) == (
        (b"ratelimit", b'"general";r=95;t=9, "auth";r=0;t=894'),
        (b"ratelimit-policy", b'"general";q=100;w=900, "auth";q=5;w=900'),
    )


def test_no_name_can_add_a_header_or_an_item() -> None:
    for _, value in LimitHeaders([(0, rule(HOSTILE)), (1, rule("%d%s"))]).of((1, 2, 3, 4)):
        assert b"\r" not in value
        assert b"\n" not in value
        assert ITEM.sub(b"", value) == b", "
    assert quoted("plain") == b'"plain"'


def test_rules_without_a_rate_and_in_shadow_say_nothing() -> None:
    shadow = rule("new").model_copy(update={"mode": "Shadow"})
    assert LimitHeaders([(0, shadow), (1, HttpRule(name="places", in_flight=3))]).of(()) == ()


@pytest.mark.parametrize("ms", [0, 1, 999, 1000, 1001, 894_001, 86_400_000])
def test_nobody_is_told_to_come_back_too_early_or_all_at_once(ms: int) -> None:
    found = {retry_after(ms) for _ in range(200)}
    assert min(found) >= max(1, seconds(ms)) >= ms / 1000
    assert len(found) > 1
    assert max(found) <= seconds(ms) + 61


def test_problems_are_rfc_9457_documents() -> None:
    cases = [
        (quota_exceeded(HOSTILE, 894, ()), 429, "quota-exceeded"),
        (reduced_capacity("db", 2), 503, "temporary-reduced-capacity"),
        (reduced_capacity(None, 2), 503, "temporary-reduced-capacity"),
        (timed_out(30), 504, "about:blank"),
        (too_large(10), 413, "about:blank"),
    ]
    for refusal, status, kind in cases:
        document, headers = json.loads(refusal.body), dict(refusal.headers)
        assert document["status"] == refusal.status == status
        assert document["type"].rpartition("#")[2] == kind
        assert headers[b"content-type"] == b"application/problem+json"
        assert headers[b"cache-control"] == b"no-store"
        assert {"title", "detail"} <= document.keys()
    assert json.loads(cases[0][0].body)["violated-policies"] == [HOSTILE]
    for name in ("<seconds>", "%d%s%", "%"):
        problem = json.loads(quota_exceeded(name, 7, ()).body)
        assert (problem["violated-policies"], problem["detail"]) == (
            [name],
            "Too many requests: try again in 7 seconds.",
        )


def test_identities_are_fixed_in_length_and_separate_kinds() -> None:
    one, other = Identities(b"1" * 32), Identities(b"2" * 32)
    found = {
        one.of("ip", "10.0.0.1"),
        one.of("user", "10.0.0.1"),
        one.of("header:x-key", "10.0.0.1"),
        other.of("ip", "10.0.0.1"),
    }
    assert len(found) == 4
    assert all(re.fullmatch(r"[0-9a-f]{32}", identity) for identity in [*found, one.of("user", "\ud800:\n" * 5000)])
    assert one.of("ip", "10.0.0.1") == Identities(b"1" * 32).of("ip", "10.0.0.1")
    assert GLOBAL == "-"


def denied(retry_ms: int, gate: str = "rate", index: int = 0) -> Denied:
    return Denied(index, gate, retry_ms, ())


def test_denials_are_kept_until_their_time_and_failures_for_a_second() -> None:
    kept = Denials()
    kept.keep(((0, "a"), (1, "a")), denied(60_000), 100.0, refundable=False)
    kept.keep(((0, "b"),), denied(60_000, "ban"), 100.0, refundable=True)
    kept.keep(((0, "c"),), denied(60_000, "inFlight"), 100.0, refundable=False)
    kept.keep(((0, "d"),), denied(100), 100.0, refundable=False)
    kept.keep(((0, "e"),), denied(60_000, "budget/ns/b"), 100.0, refundable=False)
    assert [name for name in "bcde" if kept.find(((0, name),), 100.5)] == ["b"]
    assert kept.find(((0, "b"),), 101.0) is None
    assert kept.find(((0, "a"),), 100.5) is None, "one rule of two may be open: it was the other that refuses longest"
    both = ((0, "a"), (1, "a"))
    assert kept.find(both, 159.9)
    assert kept.find(both, 160.0) is None
    assert not kept


def test_the_deny_cache_is_bounded() -> None:
    kept = Denials()
    for number in range(CACHED + 100):
        kept.keep(((0, str(number)),), denied(60_000), 0.0, refundable=False)
    assert len(kept) == CACHED


def test_the_log_tells_who_once_and_not_who_they_are(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for _ in range(50):
        log.refused("api", rule("general"), "ab" * 16, "rate", 894, 100.0)
    log.refused("api", rule("general"), "ab" * 16, "rate", 894, 111.0)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "Rate limit exceeded surface=api rule=general gate=rate "
        f"identity={'ab' * 16} limit=100 retry_after=894 hidden={hidden} unseen=0"
        for hidden in (0, 49)
    ]


def test_the_log_cannot_be_flooded_or_forged(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for number in range(10_000):
        log.refused("api", rule(HOSTILE), f"{number:032x}", "rate", 1, 100.0 + number / 10_000)
    assert len(caplog.records) == PER_SECOND
    assert all("\n" not in record.getMessage() for record in caplog.records)
    log.refused("api", rule(HOSTILE), "f" * 32, "rate", 1, 102.0)
    assert f"unseen={10_000 - PER_SECOND}" in caplog.records[-1].getMessage()
